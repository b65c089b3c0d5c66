//! A task of an owner's scope borrows from the scope's body, which ends before the task does.
//~ error-contains: does not live long enough
use slotted::Owned;

fn main() {
    let owned: Owned<u32, 4> = Owned::new();
    #[cfg(control)]
    let buffer = [1, 2, 3];
    owned.scope(|scope| {
        #[cfg(not(control))]
        let buffer = [1, 2, 3];
        let place = &buffer;
        scope.submit(move |own| *own = place[0]).unwrap().detach();
    });
}
