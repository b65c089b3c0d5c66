//! The application's own task notifications.

use freertos_next::{Duration, Task, TaskNotification};
use slotted::Shutdown;

use crate::PRIORITY;
use crate::interrupt::PATIENT;
use crate::scenario::{Failure, LONG, Verdict, check, tasks};

/// The main task receives a value, waits for the executor again and again, and then finds the
/// value. Later it waits for a value while the executor wakes it.
pub(crate) fn notifications() -> Verdict {
    const VALUE: u32 = 0x5eed;
    let Ok(main) = Task::current() else {
        return Err(Failure::new("this is no task"));
    };
    PATIENT.start(&tasks(PRIORITY - 1))?;
    main.notify(TaskNotification::SetValue(VALUE));
    for number in 0..20 {
        check!(PATIENT.submit(move || number)?.result_timeout(LONG)? == number);
    }
    check!(main.wait_for_notification(0, u32::MAX, Duration::zero()) == Ok(VALUE));
    check!(
        main.wait_for_notification(0, u32::MAX, Duration::zero())
            .is_err()
    );

    let (promise, handle) = PATIENT.promise::<u32>()?;
    let waker = main.clone();
    let worker = PATIENT.submit(move || {
        // No task waits for the promise, so it does not end the main task's wait.
        let _ = promise.set_result(1);
        waker.notify(TaskNotification::SetValue(VALUE));
    })?;
    check!(main.wait_for_notification(0, u32::MAX, Duration::infinite()) == Ok(VALUE));
    check!(handle.done() && handle.result()? == 1);
    worker.result()?;
    PATIENT.shutdown(Shutdown::Drain)?;
    Ok(())
}
