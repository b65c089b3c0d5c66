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
fn the_last_to_leave_retires_and_nobody_else() {
    loom::model(|| {
        let state = State::new();
        assert!(state.claim());
        state.publish_open();
        let state = Arc::new(state);
        let (giver, taker) = (state.clone(), state.clone());
        let giver = loom::thread::spawn(move || {
            assert!(giver.complete_promise());
            [
                giver.finish(OutcomeKind::Value).slot_use(),
                giver.drop_promise(),
            ]
        });
        let taker = loom::thread::spawn(move || taker.drop_handle());
        let mut rests = giver.join().unwrap().to_vec();
        rests.push(taker.join().unwrap());
        assert_eq!(
            rests.iter().filter(|&&rest| rest == SlotUse::Last).count(),
            1,
            "{rests:?}"
        );
    });
}

#[test]
fn a_wake_is_a_notice_or_finds_the_future_at_rest() {
    loom::model(|| {
        let state = pending(TaskKind::Future);
        assert_eq!(state.start(), Start::Yours);
        let other = state.clone();
        let waker = loom::thread::spawn(move || match other.wake() {
            Wake::Noted => false,
            Wake::Rests => other.schedule(),
            Wake::Ignored => unreachable!("it is polled, or rests, or is queued by us"),
        });
        let again = state.suspend();
        let scheduled = waker.join().unwrap();
        assert_ne!(again, scheduled, "queued by one of them");
        assert_eq!(state.snapshot().phase(), Phase::Scheduled);
    });
}

#[test]
fn a_listener_is_seen_by_the_one_that_finishes_or_comes_too_late() {
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
fn an_old_key_never_cancels_a_new_task() {
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
