//! The interrupts: one from a timer, for the suite, and one that a scenario requests at the moment
//! it needs it.

use core::cell::RefCell;
use core::ptr::with_exposed_provenance_mut;
use core::task::{Poll, Waker};

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use cortex_m_rt::exception;
use critical_section::Mutex;
use slotted::{JoinHandle, Park, Promise, Shutdown};

use crate::PRIORITY;
use crate::scenario::{Failure, Host, Pool, SUITE, Verdict, check, tasks};
use crate::trace;

/// Interrupts of the board.
#[derive(Clone, Copy)]
#[repr(u16)]
enum Line {
    /// The line of timer 0.
    Timer = 8,
    /// A line without a device.
    Spare = 31,
}

// SAFETY: they are numbers of lines of the board.
unsafe impl InterruptNumber for Line {
    fn number(self) -> u16 {
        self as u16
    }
}

/// Timer 0 of the board, at 25 MHz: control, value, reload, interrupt.
const TIMER: usize = 0x4000_0000;

fn write_timer(register: usize, value: u32) {
    // SAFETY: the callers name registers of the timer, which are not memory to Rust.
    unsafe { with_exposed_provenance_mut::<u32>(TIMER + register).write_volatile(value) };
}

/// Makes the timer interrupt each millisecond, and enables both interrupts.
pub(crate) fn enable() {
    let mut nvic = cortex_m::Peripherals::take()
        .expect("they are taken once")
        .NVIC;
    for line in [Line::Timer, Line::Spare] {
        // SAFETY: the kernel permits calls at this priority, because its critical sections mask it.
        unsafe { nvic.set_priority(line, 128) };
        // SAFETY: as above.
        unsafe { NVIC::unmask(line) };
    }
    write_timer(0x8, 25_000 - 1);
    write_timer(0x4, 25_000 - 1);
    write_timer(0x0, 0b1001); // runs and interrupts
}

#[exception]
unsafe fn DefaultHandler(line: i16) {
    if line == Line::Timer as i16 {
        write_timer(0xc, 1);
        SUITE.advance();
        SUITE.interrupt();
    } else if line == Line::Spare as i16 {
        handle_request();
    } else {
        panic!("interrupt {line} is not ours");
    }
}

/// What a requested interrupt does.
pub(crate) enum Act {
    Call(fn()),
    Submit(fn()),
    Keep(Promise<'static, usize, Host>),
    Wake(Waker),
}

static REQUEST: Mutex<RefCell<Option<Act>>> = Mutex::new(RefCell::new(None));
static SUBMITTED: Mutex<RefCell<Option<JoinHandle<'static, usize, Host>>>> =
    Mutex::new(RefCell::new(None));
/// For tasks that interrupts submit. Each scenario chooses the priority of its worker.
pub(crate) static URGENT: Pool<1> = Pool::new();
/// Its worker is less urgent than the main task.
pub(crate) static PATIENT: Pool<1> = Pool::new();

/// Raises the interrupt here and now.
pub(crate) fn request(act: Act) {
    drop(critical_section::with(|section| {
        REQUEST.replace(section, Some(act))
    }));
    NVIC::pend(Line::Spare);
    cortex_m::asm::dsb();
    cortex_m::asm::isb();
}

fn handle_request() {
    trace::note("interrupt");
    match critical_section::with(|section| REQUEST.take(section)) {
        Some(Act::Call(function)) => function(),
        Some(Act::Submit(task)) => {
            let submitted = URGENT.submit(move || {
                task();
                Host::current_id()
            });
            drop(critical_section::with(|section| {
                SUBMITTED.replace(section, submitted.ok())
            }));
        }
        Some(Act::Keep(promise)) => drop(promise.set_result(Host::current_id())),
        Some(Act::Wake(waker)) => waker.wake(),
        None => trace::note("nothing was requested"),
    }
    trace::note("end of interrupt");
}

/// The handle of the last submitted task.
pub(crate) fn submitted() -> Option<JoinHandle<'static, usize, Host>> {
    critical_section::with(|section| SUBMITTED.take(section))
}

pub(crate) fn submits() -> Verdict {
    URGENT.start(&tasks(PRIORITY))?;
    for _ in 0..10 {
        request(Act::Submit(|| trace::note("task")));
        let Some(handle) = submitted() else {
            return Err(Failure::new("the interrupt was refused"));
        };
        check!(handle.result()? != Host::current_id());
        check!(trace::was(&["interrupt", "end of interrupt", "task"]));
    }
    URGENT.shutdown(Shutdown::Drain)?;
    Ok(())
}

/// The main task waits while a less urgent worker requests the interrupt. After the interrupt the
/// main task goes on first.
pub(crate) fn keeps_a_promise() -> Verdict {
    PATIENT.start(&tasks(PRIORITY - 1))?;
    for _ in 0..10 {
        let (promise, handle) = PATIENT.promise()?;
        let worker = PATIENT.submit(move || {
            trace::note("worker");
            request(Act::Keep(promise));
            trace::note("worker again");
        })?;
        let interrupt = handle.result()?;
        trace::note("main task");
        check!(interrupt == 16 + usize::from(Line::Spare.number()));
        worker.result()?;
        check!(trace::was(&[
            "worker",
            "interrupt",
            "end of interrupt",
            "main task",
            "worker again"
        ]));
    }
    PATIENT.shutdown(Shutdown::Drain)?;
    Ok(())
}

/// A future of a more urgent worker requests the interrupt that wakes it. Later the main task
/// requests it.
pub(crate) fn wakes() -> Verdict {
    static WAKER: Mutex<RefCell<Option<Waker>>> = Mutex::new(RefCell::new(None));
    URGENT.start(&tasks(PRIORITY + 1))?;
    let mut polls = 0;
    let future = core::future::poll_fn(move |context| {
        trace::note("poll");
        polls += 1;
        match polls {
            // The wake-up comes during the poll.
            1 => request(Act::Wake(context.waker().clone())),
            // The wake-up comes while the future is suspended.
            2 => drop(critical_section::with(|section| {
                WAKER.replace(section, Some(context.waker().clone()))
            })),
            _ => return Poll::Ready(polls),
        }
        Poll::Pending
    });
    let handle = URGENT.submit_future(future)?;
    let waker = critical_section::with(|section| WAKER.take(section));
    check!(waker.is_some() && !handle.done());
    check!(trace::was(&[
        "poll",
        "interrupt",
        "end of interrupt",
        "poll"
    ]));
    waker
        .into_iter()
        .for_each(|waker| request(Act::Wake(waker)));
    trace::note("main task");
    check!(handle.result()? == 3);
    check!(trace::was(&[
        "interrupt",
        "end of interrupt",
        "poll",
        "main task"
    ]));
    URGENT.shutdown(Shutdown::Drain)?;
    Ok(())
}
