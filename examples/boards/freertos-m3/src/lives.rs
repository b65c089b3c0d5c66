//! How workers begin and end as RTOS tasks.

use core::ffi::CStr;
use core::fmt::Write;
use core::ptr;

use freertos_next::{FreeRtosUtils, freertos_rs_task_get_name};
use heapless::String;
use slotted::{Shutdown, StartError, error::WorkerStartError};

use crate::PRIORITY;
use crate::heap::free;
use crate::scenario::{Failure, LONG, Pool, RESTING, Verdict, check, comes_to_rest, tasks};

/// Its workers start only if their tasks have the right names.
static MILL: Pool<2> = Pool::new().on_worker_start(|index| {
    let mut expected: String<16> = String::new();
    let _ = write!(expected, "mill-{index}"); // fits
    // SAFETY: null means the calling task.
    let name = unsafe { freertos_rs_task_get_name(ptr::null()) };
    // SAFETY: the kernel keeps a NUL after each name.
    let name = unsafe { CStr::from_ptr(name.cast()) };
    if name.to_str() == Ok(&expected) {
        Ok(())
    } else {
        Err(WorkerStartError)
    }
});

/// A shutdown ends the workers' tasks, and frees their memory.
pub(crate) fn restart() -> Verdict {
    let bytes = free();
    for life in 0..10 {
        MILL.start(&tasks(PRIORITY).prefix("mill"))?;
        check!(FreeRtosUtils::get_number_of_tasks() == RESTING + 2 && free() < bytes);
        let handle = MILL.submit(move || life)?;
        MILL.shutdown(Shutdown::Drain)?;
        check!(handle.result()? == life);
        check!(comes_to_rest() && free() == bytes);
    }
    Ok(())
}

/// The heap has room for one large stack, but not for two.
pub(crate) fn refused() -> Verdict {
    static GREEDY: Pool<2> = Pool::new();
    const LARGE: usize = 60 * 1024;
    let bytes = free();
    check!(bytes > LARGE && bytes < 2 * LARGE);
    let mut handle = GREEDY.submit(|| 7)?;
    let Err(error) = GREEDY.start(&tasks(PRIORITY - 1).stack_size(LARGE)) else {
        return Err(Failure::new("there is room for both"));
    };
    check!(matches!(error, StartError::Refused { started: 1, .. }));
    let mut text: String<200> = String::new();
    let _ = write!(text, "{error}"); // compared
    check!(
        text == "the host refused worker 1 (1 had started): \
                 the heap of FreeRTOS has no room for a task with a stack of 61440 bytes"
    );
    // The worker that started has ended.
    check!(comes_to_rest() && free() == bytes);
    GREEDY.start(&tasks(PRIORITY))?;
    // The task ran only now: the worker that started left it in the queue.
    check!(handle.result_timeout(LONG)? == 7);
    check!(GREEDY.submit(|| 8)?.result()? == 8);
    GREEDY.shutdown(Shutdown::Drain)?;
    check!(comes_to_rest() && free() == bytes);
    Ok(())
}

/// Both stacks take most of the heap, and the idle task had no time to free the old ones.
pub(crate) fn tight() -> Verdict {
    static LARGE: Pool<2> = Pool::new();
    let stack_size = free() * 2 / 5;
    for life in 0..5 {
        LARGE.start(&tasks(PRIORITY).stack_size(stack_size))?;
        check!(LARGE.submit(move || life)?.result()? == life);
        LARGE.shutdown(Shutdown::Drain)?;
        check!(free() < 2 * stack_size);
    }
    Ok(())
}
