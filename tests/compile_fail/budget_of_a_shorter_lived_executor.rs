//! A time budget of a task whose executor may be gone at the date.
//~ error-contains: error[E0597]
//~ error-contains: does not live long enough
use slotted::{Executor, Timetable};

static TIMES: Timetable<1> = Timetable::new();
#[cfg(control)]
static EXECUTOR: Executor<0, 1> = Executor::new();

fn main() {
    #[cfg(control)]
    let executor = &EXECUTOR;
    #[cfg(not(control))]
    let executor: Executor<0, 1> = Executor::new();
    let handle = executor.submit(|| 1).unwrap();
    TIMES.cancel_at(&handle, 10).unwrap();
}
