//! The completer of a cancelled promise sees the cancel as long as it holds the promise, whatever
//! happens to the handle.
//!
//! Python: `Future.set_running_or_notify_cancel` returns `False` on a cancelled future, also after
//! its result was taken.
#![cfg(feature = "std")]

use slotted::{Executor, TaskError};

type Stepped = Executor<0, 2>;

#[test]
fn the_completer_sees_the_cancel_while_the_handle_lives() {
    let executor = Stepped::new();
    let (promise, handle) = executor.promise::<u32>().unwrap();
    assert!(handle.cancel());
    assert_eq!(promise.set_running_or_notify_cancel().ok(), Some(false));
}

#[test]
fn the_completer_sees_the_cancel_after_the_handle_was_dropped() {
    let executor = Stepped::new();
    let (promise, handle) = executor.promise::<u32>().unwrap();
    assert!(handle.cancel());
    drop(handle);
    assert_eq!(promise.set_running_or_notify_cancel().ok(), Some(false));
}

#[test]
fn the_completer_sees_the_cancel_after_the_handle_took_the_outcome() {
    let executor = Stepped::new();
    let (promise, handle) = executor.promise::<u32>().unwrap();
    assert!(handle.cancel());
    assert!(matches!(handle.result(), Err(TaskError::Cancelled)));
    assert_eq!(promise.set_running_or_notify_cancel().ok(), Some(false));
    assert_eq!(
        promise
            .set_result(7)
            .map_err(|refused| refused.into_inner()),
        Err(7)
    );
}
