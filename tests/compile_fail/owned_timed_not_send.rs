//! A closure with a date is sent to its owner. What the owner lends need not be `Send`.
//~ error-contains: cannot be sent between threads safely
use slotted::{Owned, Timetable};
use std::rc::Rc;

static OWNED: Owned<Rc<u32>, 4, 128> = Owned::new();
static TIMES: Timetable<4> = Timetable::new();

fn main() {
    #[cfg(not(control))]
    let number = Rc::new(7);
    #[cfg(control)]
    let number = 7;
    let _ = TIMES.on_owned(&OWNED).submit_at(0, move |own| {
        drop(number.clone());
        **own
    });
}
