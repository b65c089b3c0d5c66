//! The timed work on a timetable: every call, at the places with the most to do.

use core::array::from_fn;
use core::ops::ControlFlow;

use cortex_m3_budgets::rounds::slotted_timer::Board;
use slotted::{Every, Executor, Timetable};

/// An executor and a timetable of so many.
struct Dates<const TIMERS: usize>(Executor<0, TIMERS, 64, Board>, Timetable<TIMERS, Board>);

static FEW: Dates<8> = Dates(Executor::new(), Timetable::new());
static MANY: Dates<64> = Dates(Executor::new(), Timetable::new());

/// Submits, moves, cancels and runs, with `TIMERS` timers: 8 or 64.
pub(crate) fn use_all<const TIMERS: usize>() {
    if TIMERS == 8 {
        work(&FEW);
    } else {
        work(&MANY);
    }
}

fn work<const TIMERS: usize>(Dates(executor, times): &'static Dates<TIMERS>) {
    let later = times.on(executor);
    Board::set(0);
    // Each one comes before all that are there.
    let handles: [_; TIMERS] = from_fn(|number| {
        let date = 1000 - number as u64;
        later.submit_at(date, move || date).ok()
    });
    // To the end, and back to the beginning.
    for handle in handles.iter().flatten() {
        assert!(times.move_to(handle, 2000));
        assert!(times.move_to(handle, 1));
    }
    // What takes its place goes all the way down.
    assert!(handles[0].as_ref().is_some_and(|handle| handle.cancel()));
    Board::set(3000);
    assert!(times.advance().is_none());
    assert!(executor.run_until_idle() == TIMERS - 1);
    drop(handles);
    let series = later.submit_every(Every::ticks(1), |_| ControlFlow::<()>::Continue(()));
    let others: [_; TIMERS] = from_fn(|_| later.sleep_until(4000).ok());
    Board::set(3001);
    times.advance();
    assert!(executor.run_one());
    assert!(series.is_ok_and(|series| series.cancel()));
    drop(others);
}
