//! Loom models of the word alone.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::*;

fn pending(kind: TaskKind) -> Arc<State> {
    let state = State::new();
    assert!(state.claim());
    state.publish_pending(kind);
    Arc::new(state)
}

#[test]
fn start_and_cancel_have_one_winner() {
    loom::model(|| {
        let state = pending(TaskKind::Closure);
        let other = state.clone();
        let started = loom::thread::spawn(move || other.start() == Start::Yours);
        let cancelled = state.cancel(Some(0), CancelFrom::Queue);
        assert_ne!(started.join().unwrap(), cancelled);
    });
}

#[test]
fn of_handle_and_promise_exactly_one_is_the_last_holder() {
    loom::model(|| {
        let state = State::new();
        assert!(state.claim());
        state.publish_open();
        let state = Arc::new(state);
        let (promise, handle) = (state.clone(), state.clone());
        let promise = loom::thread::spawn(move || {
            assert!(promise.complete_promise());
            [
                promise.finish(OutcomeKind::Value).slot_use(),
                promise.drop_promise(),
            ]
        });
        let handle = loom::thread::spawn(move || handle.drop_handle());
        let mut uses = promise.join().unwrap().to_vec();
        uses.push(handle.join().unwrap());
        assert_eq!(
            uses.iter()
                .filter(|&&slot_use| slot_use == SlotUse::Last)
                .count(),
            1,
            "{uses:?}"
        );
    });
}

#[test]
fn a_wake_is_noted_or_finds_the_future_suspended() {
    loom::model(|| {
        let state = pending(TaskKind::Future);
        assert_eq!(state.start(), Start::Yours);
        let other = state.clone();
        let waker = loom::thread::spawn(move || match other.wake() {
            Wake::Noted => false,
            Wake::Rests(_) => other.schedule(),
            Wake::Ignored => unreachable!("it is polled, suspended, or queued by us"),
        });
        let again = state.suspend();
        let scheduled = waker.join().unwrap();
        assert_ne!(again, scheduled, "queued by one of them");
        assert_eq!(state.snapshot().phase(), Phase::Scheduled);
    });
}

#[test]
fn the_completer_sees_a_listener_or_the_listener_is_too_late() {
    loom::model(|| {
        let state = pending(TaskKind::Closure);
        assert_eq!(state.start(), Start::Yours);
        let other = state.clone();
        let listens = loom::thread::spawn(move || other.listen());
        let heard = state.finish(OutcomeKind::Value).has_listener();
        assert_eq!(listens.join().unwrap(), heard);
        assert_eq!(state.snapshot().is_takeable(), !heard);
        if heard {
            assert_eq!(state.finish_heard(), SlotUse::Shared);
        }
        assert!(state.snapshot().is_takeable());
    });
}

#[test]
fn a_canceller_of_an_earlier_task_never_cancels_a_later_one() {
    loom::model(|| {
        let state = pending(TaskKind::Closure);
        let other = state.clone();
        let canceller = loom::thread::spawn(move || other.cancel(Some(0), CancelFrom::Queue));
        if state.start() == Start::Yours {
            assert_eq!(state.finish(OutcomeKind::Value).slot_use(), SlotUse::Shared);
            assert_eq!(state.drop_handle(), SlotUse::Last);
            state.retire();
            assert!(state.claim());
            state.publish_pending(TaskKind::Closure);
            assert!(!canceller.join().unwrap());
            assert_eq!(state.snapshot().phase(), Phase::Pending);
        } else {
            assert!(canceller.join().unwrap());
        }
    });
}
