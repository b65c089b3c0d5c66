//! A task of a scope leaves what it borrows in what the owner owns.
//~ error-contains: borrowed value does not live long enough
use slotted::Owned;

fn main() {
    let owned: Owned<Vec<&u32>, 4> = Owned::new();
    #[cfg(control)]
    let number = 7;
    {
        #[cfg(not(control))]
        let number = 7;
        let place = &number;
        owned.scope(|scope| scope.submit(move |own| own.push(place)).unwrap().detach());
    }
    let _ = owned.worker().map(|worker| worker.run(vec![]).len());
}
