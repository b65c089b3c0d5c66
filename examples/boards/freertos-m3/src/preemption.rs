//! Tasks of different priorities, and of one. Shown by the order of what happens, not by how long
//! it takes.

use core::sync::atomic::{AtomicUsize, Ordering};

use slotted::{Clock, Pending};

use crate::PRIORITY;
use crate::interrupt::{Act, PATIENT, URGENT, request, submitted};
use crate::scenario::{Failure, Host, LONG, Pool, Verdict, check, tasks};
use crate::trace;

/// Some work without a call of the kernel: how many steps it takes from a number to 1.
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
/// has got any further.
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
    // Not only from interrupts.
    let handle = URGENT.submit(|| trace::note("worker"))?;
    trace::note("main task");
    check!(handle.done() && trace::was(&["worker", "main task"]));
    URGENT.shutdown(Pending::Run)?;
    Ok(())
}

/// The worker runs nothing while the main task computes, over several ticks; and does once that
/// waits.
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
    PATIENT.shutdown(Pending::Run)?;
    Ok(())
}

/// Each of two tasks waits for its turn and gives it to the other, without ever calling what could
/// switch between them.
pub(crate) fn time_slices() -> Verdict {
    const TURNS: usize = 16;
    static PAIR: Pool<2> = Pool::new();
    static TURN: AtomicUsize = AtomicUsize::new(0);
    fn take_turns(mine: usize) -> usize {
        let end = Host::now() + 5 * Host::TICKS_PER_SECOND;
        let mut taken = 0;
        while taken < TURNS / 2 && Host::now() < end {
            let turn = TURN.load(Ordering::Acquire); // what the other did before its store
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
    PAIR.shutdown(Pending::Run)?;
    Ok(())
}
