//! Tasks of different priorities, and of the same one. The order of events is the proof, not the
//! time they take.

use core::sync::atomic::{AtomicUsize, Ordering};

use slotted::{Clock, Shutdown};

use crate::PRIORITY;
use crate::interrupt::{Act, PATIENT, URGENT, request, submitted};
use crate::scenario::{Failure, Host, LONG, Pool, Verdict, check, tasks};
use crate::trace;

/// Works without a call of the kernel: counts the steps from a number to 1.
fn compute(mut number: u32) -> u32 {
    let mut steps = 0;
    while number != 1 {
        number = if number.is_multiple_of(2) {
            number / 2
        } else {
            3 * number + 1
        };
        steps += 1;
    }
    core::hint::black_box(steps)
}

/// An interrupt submits while the main task computes. The worker runs the task before the main task
/// goes on.
pub(crate) fn higher() -> Verdict {
    URGENT.start(&tasks(PRIORITY + 1))?;
    let mut sum = compute(27);
    trace::note("main task computes");
    request(Act::Submit(|| trace::note("worker")));
    sum += compute(97);
    trace::note("main task has computed");
    check!(sum == 111 + 118);
    check!(trace::was(&[
        "main task computes",
        "interrupt",
        "end of interrupt",
        "worker",
        "main task has computed"
    ]));
    let Some(handle) = submitted() else {
        return Err(Failure::new("the interrupt was refused"));
    };
    check!(handle.done() && handle.result()? != 0);
    // The main task may submit too, not only interrupts.
    let handle = URGENT.submit(|| trace::note("worker"))?;
    trace::note("main task");
    check!(handle.done() && trace::was(&["worker", "main task"]));
    URGENT.shutdown(Shutdown::Drain)?;
    Ok(())
}

/// While the main task computes, for several ticks, the worker runs nothing. It runs its tasks when
/// the main task waits.
pub(crate) fn lower() -> Verdict {
    PATIENT.start(&tasks(PRIORITY - 1))?;
    let handle = PATIENT.submit(|| trace::note("worker"))?;
    let end = Host::now() + 5;
    while Host::now() < end {
        compute(27);
    }
    trace::note("main task");
    check!(!handle.done());
    handle.result()?;
    check!(trace::was(&["main task", "worker"]));
    PATIENT.shutdown(Shutdown::Drain)?;
    Ok(())
}

/// Each of two tasks spins until its turn comes, and gives the next turn to the other. Neither
/// calls a function that could switch tasks.
pub(crate) fn time_slices() -> Verdict {
    const TURNS: usize = 16;
    static PAIR: Pool<2> = Pool::new();
    static TURN: AtomicUsize = AtomicUsize::new(0);
    fn take_turns(mine: usize) -> usize {
        let end = Host::now() + 5 * Host::TICKS_PER_SECOND;
        let mut taken = 0;
        while taken < TURNS / 2 && Host::now() < end {
            let turn = TURN.load(Ordering::Acquire); // sees what the other task did
            if turn % 2 == mine {
                trace::note(["left", "right"][mine]);
                TURN.store(turn + 1, Ordering::Release);
                taken += 1;
            }
        }
        taken
    }
    TURN.store(0, Ordering::Relaxed);
    PAIR.start(&tasks(PRIORITY))?;
    let mut left = PAIR.submit(|| take_turns(0))?;
    let mut right = PAIR.submit(|| take_turns(1))?;
    check!((left.result_timeout(LONG)?, right.result_timeout(LONG)?) == (TURNS / 2, TURNS / 2));
    check!(TURN.load(Ordering::Relaxed) == TURNS);
    check!(trace::was(&core::array::from_fn::<_, TURNS, _>(|turn| [
        "left", "right"
    ][turn % 2])));
    PAIR.shutdown(Shutdown::Drain)?;
    Ok(())
}
