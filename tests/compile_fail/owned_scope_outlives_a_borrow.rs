//! A buffer is changed while a task of the scope may still read it.
//~ error-contains: error[E0506]
use slotted::Owned;

fn main() {
    let owned: Owned<u32, 4> = Owned::new();
    let mut buffer = 7;
    owned.scope(|scope| {
        scope.submit(|own| *own = buffer).unwrap().detach();
        #[cfg(not(control))]
        {
            buffer = 8;
        }
    });
    buffer += 1;
    assert_eq!(buffer, 8);
}
