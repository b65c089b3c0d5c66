//! Three workers at three priorities: the order in which their tasks begin and end. Each submit
//! requests PendSV, by the host's [`Park::ready`].

use core::cell::RefCell;
use core::fmt::{self, Write};

use cortex_m::asm::{dsb, isb};
use cortex_m::peripheral::NVIC;
use cortex_m::register::basepri;
use cortex_m_host::{Mps2, SUPER_LOOP};
use critical_section::Mutex;
use slotted::{Clock, Executor, Park, Ran, Shutdown};

use crate::{URGENT_LINE, URGENT_PRIORITY, WORKERS};

static EXECUTOR: Executor<3, 8, 64, Mps2> = Executor::new();

/// A level, as [`Park::current_id`] returns it: the number of the exception, plus one.
const THREAD: usize = 1;
const PENDSV: usize = 14 + 1;
const URGENT: usize = 16 + 31 + 1;

/// A task's step, and its level.
type Event = (&'static str, usize);

/// The events of a play.
struct Log {
    events: [Event; 16],
    count: usize,
}

static LOG: Mutex<RefCell<Log>> = Mutex::new(RefCell::new(Log {
    events: [("", 0); 16],
    count: 0,
}));

/// Records a step of the calling task.
fn note(event: &'static str) {
    critical_section::with(|section| {
        let log = &mut *LOG.borrow_ref_mut(section);
        log.events[log.count] = (event, Mps2::current_id());
        log.count += 1;
    });
}

fn submit(task: fn()) {
    EXECUTOR.submit(task).expect("there is room").detach();
}

/// Requests the urgent interrupt, which comes at once if its priority allows it.
fn request_urgent() {
    NVIC::pend(URGENT_LINE);
    dsb();
    isb();
}

/// Holds both interrupts back, or admits them again. Clock and SysTick go on.
fn hold_back(priority: u8) {
    // SAFETY: no critical section depends on priorities.
    unsafe { basepri::write(priority) };
    isb();
}

/// Does every play and prints a line for each. Returns true if all events came in order.
pub(crate) fn run(out: &mut impl Write) -> Result<bool, fmt::Error> {
    let mut all = true;
    let plays = [
        (
            "a worker of higher priority interrupts one of lower",
            higher_interrupts_lower(),
        ),
        (
            "the worker of higher priority goes first",
            higher_goes_first(),
        ),
    ];
    for (name, in_order) in plays {
        writeln!(out, "{} {name}", if in_order { "ok" } else { "FAILED" })?;
        all &= in_order;
    }
    Ok(all)
}

/// Makes the super-loop's worker run `first`, which admits the interrupts. Returns true if the
/// events came in the expected order.
fn play(first: fn(), expected: &[Event]) -> bool {
    critical_section::with(|section| LOG.borrow_ref_mut(section).count = 0);
    EXECUTOR.start(&WORKERS).expect("it has stopped");
    hold_back(URGENT_PRIORITY);
    submit(first);
    let ran = WORKERS.run_one(SUPER_LOOP);
    EXECUTOR.begin_shutdown(Shutdown::Drain);
    let left = WORKERS.run_one(SUPER_LOOP);
    request_urgent();
    EXECUTOR
        .shutdown(Shutdown::Drain)
        .expect("no worker calls it");
    let in_order = critical_section::with(|section| {
        let log = LOG.borrow_ref(section);
        log.events[..log.count] == *expected
    });
    ran == Ran::Task && left == Ran::Left && in_order
}

/// A task of PendSV interrupts a task of the super-loop, and a task of the urgent interrupt
/// interrupts that. Only SysTick interrupts the urgent task, not another task of PendSV.
fn higher_interrupts_lower() -> bool {
    let first = || {
        note("the first begins");
        submit(|| {
            note("the second begins");
            submit(|| {
                note("the third begins");
                submit(|| note("the fourth"));
                let later = Mps2::now() + Mps2::TICKS_PER_SECOND / 500;
                while Mps2::now() < later {
                    core::hint::spin_loop();
                }
                note("the third ends");
            });
            request_urgent();
            note("the second ends");
        });
        hold_back(0);
        note("the first ends");
    };
    let expected = [
        ("the first begins", THREAD),
        ("the second begins", PENDSV),
        ("the third begins", URGENT),
        ("the third ends", URGENT),
        ("the second ends", PENDSV),
        ("the fourth", PENDSV),
        ("the first ends", THREAD),
    ];
    play(first, &expected)
}

/// Two workers are requested while neither may run. The more urgent worker takes the older task.
fn higher_goes_first() -> bool {
    let first = || {
        note("the first begins");
        submit(|| note("the second"));
        submit(|| note("the third"));
        request_urgent();
        note("both are held back");
        hold_back(0);
        note("the first ends");
    };
    let expected = [
        ("the first begins", THREAD),
        ("both are held back", THREAD),
        ("the second", URGENT),
        ("the third", PENDSV),
        ("the first ends", THREAD),
    ];
    play(first, &expected)
}
