//! What the host's table of waiting tasks is for: tasks that end while others still know them, and more tasks than it has room for.

extern crate alloc;

use alloc::vec;
use core::cell::RefCell;
use core::sync::atomic::{AtomicUsize, Ordering};

use critical_section::Mutex;
use freertos_host::{SEATS, Waiting};
use freertos_next::{FreeRtosUtils, Task, TaskPriority};
use slotted::{Executor, Park, Pending};

use crate::PRIORITY;
use crate::heap::largest;
use crate::scenario::{Failure, Host, RESTING, Verdict, check, comes_to_rest, soon, tasks};

/// Starts a task that runs, before this returns, until it waits.
fn start(function: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let mut task = Task::new();
    task.name("waiter").stack_size_bytes(2048).priority(TaskPriority(PRIORITY + 1));
    task.start(|_| function()).map(drop).map_err(|_| Failure::new("a task was refused"))
}

pub(crate) fn more_than_seats() -> Verdict {
    const WAITING: usize = SEATS + 4;
    static POOL: Executor<1, WAITING, 64, Host> = Executor::new();
    static ARRIVED: AtomicUsize = AtomicUsize::new(0);
    static SUM: AtomicUsize = AtomicUsize::new(0);
    POOL.start(&tasks(PRIORITY - 1))?;
    let mut promises = heapless::Vec::<_, WAITING>::new();
    for _ in 0..WAITING {
        let (promise, handle) = POOL.promise::<usize>()?;
        check!(promises.push(promise).is_ok());
        start(move || {
            ARRIVED.fetch_add(1, Ordering::Relaxed);
            SUM.fetch_add(handle.result().unwrap_or(0), Ordering::Relaxed);
        })?;
    }
    check!(ARRIVED.load(Ordering::Relaxed) == WAITING && SUM.load(Ordering::Relaxed) == 0);
    for (number, promise) in (1..).zip(promises) {
        check!(promise.set_result(number).is_ok());
    }
    check!(soon(|| SUM.load(Ordering::Relaxed) == WAITING * (WAITING + 1) / 2));
    POOL.shutdown(Pending::Run)?;
    Ok(())
}

/// A task that waits is woken, and ends; its memory is given to somebody else; and it is woken again.
pub(crate) fn woken_too_late() -> Verdict {
    const FILLING: u8 = 0xa5;
    static TOKEN: Mutex<RefCell<Option<Waiting>>> = Mutex::new(RefCell::new(None));
    static BLOCK: AtomicUsize = AtomicUsize::new(0);
    start(|| {
        BLOCK.store(Host::current_id(), Ordering::Relaxed);
        let token = Host::current();
        drop(critical_section::with(|section| TOKEN.replace(section, Some(token))));
        Host::park();
    })?;
    let Some(token) = critical_section::with(|section| TOKEN.take(section)) else {
        return Err(Failure::new("the task has not run"));
    };
    check!(FreeRtosUtils::get_number_of_tasks() == RESTING + 1);
    Host::unpark(&token);
    check!(comes_to_rest());

    // All there is, block after block.
    let memory: [_; 4] = core::array::from_fn(|_| vec![FILLING; largest()]);
    let block = core::ptr::without_provenance(BLOCK.load(Ordering::Relaxed));
    check!(memory.iter().any(|memory| memory.as_ptr_range().contains(&block)));
    Host::unpark(&token);
    Host::unpark(&token.clone());
    check!(memory.iter().flatten().all(|byte| *byte == FILLING));
    Ok(())
}
