//! The host's table of waiting tasks: tasks that end while others still name them, and more tasks
//! than seats.

extern crate alloc;

use alloc::vec;
use core::cell::RefCell;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use critical_section::Mutex;
use freertos_host::{SEATS, Waiting};
use freertos_next::{FreeRtosUtils, Task, TaskPriority};
use slotted::{Clock, Executor, Park, Shutdown};

use crate::PRIORITY;
use crate::heap::largest;
use crate::interrupt::{Act, request};
use crate::scenario::{Failure, Host, LONG, RESTING, Verdict, check, comes_to_rest, soon, tasks};
use crate::trace;

/// Starts a task. The task runs until it waits, before this returns.
fn start(function: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let mut task = Task::new();
    task.name("waiter")
        .stack_size_bytes(2048)
        .priority(TaskPriority(PRIORITY + 1));
    task.start(|_| function())
        .map(drop)
        .map_err(|_| Failure::new("a task was refused"))
}

type Pool = Executor<1, { SEATS + 8 }, 64, Host>;

/// More tasks wait than there are seats, so some waiters and a later worker have none. A token
/// names the main task, so the main task keeps its seat although it does not wait.
pub(crate) fn more_than_seats() -> Verdict {
    const WAITING: usize = SEATS + 4;
    static SEATED: Pool = Executor::new();
    static SEATLESS: Pool = Executor::new();
    static ARRIVED: AtomicUsize = AtomicUsize::new(0);
    static SUM: AtomicUsize = AtomicUsize::new(0);
    let token = Host::current();
    SEATED.start(&tasks(PRIORITY - 1))?;
    let mut promises = heapless::Vec::<_, WAITING>::new();
    for _ in 0..WAITING {
        let (promise, handle) = SEATED.promise::<usize>()?;
        check!(promises.push(promise).is_ok());
        start(move || {
            ARRIVED.fetch_add(1, Ordering::Relaxed);
            SUM.fetch_add(handle.result().unwrap_or(0), Ordering::Relaxed);
        })?;
    }
    check!(ARRIVED.load(Ordering::Relaxed) == WAITING && SUM.load(Ordering::Relaxed) == 0);

    // A task without a seat sleeps for one tick.
    Host::unpark(&token);
    Host::park();
    let end = Host::now() + 5;
    Host::park_until(end);
    check!(Host::now() >= end);

    SEATLESS.start(&tasks(PRIORITY + 1))?;
    for (number, promise) in (1..).zip(promises) {
        check!(promise.set_result(number).is_ok());
    }
    check!(soon(
        || SUM.load(Ordering::Relaxed) == WAITING * (WAITING + 1) / 2
    ));
    for pool in [&SEATED, &SEATLESS] {
        waits_inside(pool)?;
        check!(pool.submit(|| 6)?.result_timeout(LONG)? == 6);
        pool.shutdown(Shutdown::Drain)?;
    }
    Ok(())
}

/// A task of the worker waits, so the worker takes a seat if it has none.
fn waits_inside(pool: &'static Pool) -> Verdict {
    static ABOUT_TO: AtomicBool = AtomicBool::new(false);
    ABOUT_TO.store(false, Ordering::Relaxed);
    let (promise, handle) = pool.promise::<usize>()?;
    let mut outer = pool.submit(move || {
        ABOUT_TO.store(true, Ordering::Relaxed);
        handle.result().ok()
    })?;
    check!(soon(|| ABOUT_TO.load(Ordering::Relaxed)));
    check!(promise.set_result(5).is_ok());
    check!(outer.result_timeout(LONG)? == Some(5));
    Ok(())
}

/// A task that is woken before it waits does not wait, once. Both a task and an interrupt can wake
/// it.
pub(crate) fn permits() -> Verdict {
    static TOKEN: Mutex<RefCell<Option<Waiting>>> = Mutex::new(RefCell::new(None));
    fn wake() {
        let token = critical_section::with(|section| TOKEN.borrow_ref(section).clone());
        token.iter().for_each(Host::unpark);
    }
    let token = Host::current();
    drop(critical_section::with(|section| {
        TOKEN.replace(section, Some(token))
    }));
    for wake in [wake, || request(Act::Call(wake))] {
        let (near, far) = (Host::now() + 2, Host::now() + 1000);
        wake();
        wake();
        Host::park_until(far);
        check!(Host::now() < far);
        Host::park_until(near);
        check!(Host::now() >= near);
    }
    drop(critical_section::with(|section| TOKEN.take(section)));
    check!(trace::was(&[
        "interrupt",
        "end of interrupt",
        "interrupt",
        "end of interrupt"
    ]));
    Ok(())
}

/// A waiting task is woken and ends. Its memory goes to another owner. Then the task is woken
/// again.
pub(crate) fn woken_too_late() -> Verdict {
    const FILLING: u8 = 0xa5;
    static TOKEN: Mutex<RefCell<Option<Waiting>>> = Mutex::new(RefCell::new(None));
    static BLOCK: AtomicUsize = AtomicUsize::new(0);
    start(|| {
        BLOCK.store(Host::current_id(), Ordering::Relaxed);
        let token = Host::current();
        drop(critical_section::with(|section| {
            TOKEN.replace(section, Some(token))
        }));
        Host::park();
    })?;
    let Some(token) = critical_section::with(|section| TOKEN.take(section)) else {
        return Err(Failure::new("the task has not run"));
    };
    check!(FreeRtosUtils::get_number_of_tasks() == RESTING + 1);
    Host::unpark(&token);
    check!(comes_to_rest());

    // Takes the whole heap, block after block.
    let memory: [_; 4] = core::array::from_fn(|_| vec![FILLING; largest()]);
    let block = core::ptr::without_provenance(BLOCK.load(Ordering::Relaxed));
    check!(
        memory
            .iter()
            .any(|memory| memory.as_ptr_range().contains(&block))
    );
    Host::unpark(&token);
    Host::unpark(&token.clone());
    check!(memory.iter().flatten().all(|byte| *byte == FILLING));
    Ok(())
}
