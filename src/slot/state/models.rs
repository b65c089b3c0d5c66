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

#[test]
fn a_request_reaches_a_closure_that_runs_or_finds_it_queued() {
    loom::model(|| {
        let state = pending(TaskKind::Closure);
        let other = state.clone();
        let requester = loom::thread::spawn(move || other.ask_to_stop(Some(0)));
        assert_eq!(state.start(), Start::Yours);
        let seen = state.is_asked_to_stop();
        let asked = requester.join().unwrap();
        assert_ne!(asked, Asked::Refused);
        // The closure looked once, and perhaps before the request.
        assert!(!seen || asked == Asked::First);
        assert_eq!(state.is_asked_to_stop(), asked == Asked::First);
        assert_eq!(state.snapshot().phase(), Phase::Running);
    });
}

#[test]
fn of_two_requests_one_is_the_first() {
    loom::model(|| {
        let state = pending(TaskKind::Closure);
        assert_eq!(state.start(), Start::Yours);
        let other = state.clone();
        let requester = loom::thread::spawn(move || other.ask_to_stop(None));
        let mut answers = [state.ask_to_stop(Some(0)), requester.join().unwrap()];
        answers.sort_by_key(|answer| *answer != Asked::First);
        assert_eq!(answers, [Asked::First, Asked::Refused]);
    });
}

#[test]
fn what_the_requester_wrote_is_there_for_the_closure_that_sees_the_request() {
    loom::model(|| {
        let state = pending(TaskKind::Closure);
        let told = Arc::new(loom::cell::UnsafeCell::new(0));
        assert_eq!(state.start(), Start::Yours);
        let (other, tells) = (state.clone(), told.clone());
        let requester = loom::thread::spawn(move || {
            tells.with_mut(|told| assert!(!told.is_null())); // loom notes a write
            other.ask_to_stop(None)
        });
        // Bound: loom runs the requester meanwhile.
        while !state.is_asked_to_stop() {
            loom::thread::yield_now();
        }
        told.with(|told| assert!(!told.is_null())); // and here a read
        assert_eq!(requester.join().unwrap(), Asked::First);
    });
}

#[test]
fn a_request_leaves_the_outcome_as_the_completer_says() {
    loom::model(|| {
        let state = pending(TaskKind::Closure);
        assert_eq!(state.start(), Start::Yours);
        let other = state.clone();
        let requester = loom::thread::spawn(move || other.ask_to_stop(None));
        assert_eq!(
            state.finish(OutcomeKind::Failed).slot_use(),
            SlotUse::Shared
        );
        let asked = requester.join().unwrap();
        let seen = state.snapshot();
        assert_eq!(
            (seen.phase(), seen.kind()),
            (Phase::Done, OutcomeKind::Failed)
        );
        assert_eq!(seen.may_be_asked_to_stop(), asked == Asked::First);
        assert!(!matches!(asked, Asked::AtRest { .. }));
    });
}

#[test]
fn a_request_for_an_earlier_task_never_reaches_a_later_one() {
    loom::model(|| {
        let state = pending(TaskKind::Closure);
        let other = state.clone();
        assert_eq!(state.start(), Start::Yours);
        let requester = loom::thread::spawn(move || other.ask_to_stop(Some(0)));
        assert_eq!(state.finish(OutcomeKind::Value).slot_use(), SlotUse::Shared);
        assert_eq!(state.drop_handle(), SlotUse::Last);
        state.retire();
        assert!(state.claim());
        state.publish_pending(TaskKind::Closure);
        assert_eq!(state.start(), Start::Yours);
        assert!(matches!(
            requester.join().unwrap(),
            Asked::First | Asked::Refused
        ));
        assert!(!state.is_asked_to_stop());
        assert_eq!(state.snapshot().phase(), Phase::Running);
    });
}

#[test]
fn a_future_and_a_promise_take_no_request_and_no_stale_wake_makes_one() {
    loom::model(|| {
        let future = pending(TaskKind::Future);
        assert_eq!(future.start(), Start::Yours);
        let other = future.clone();
        let waker = loom::thread::spawn(move || other.wake());
        assert_eq!(future.ask_to_stop(None), Asked::Refused);
        assert_eq!(waker.join().unwrap(), Wake::Noted);
        assert!(future.suspend(), "the wake is still noted");

        let promise = State::new();
        assert!(promise.claim());
        promise.publish_open();
        assert_eq!(promise.ask_to_stop(None), Asked::AtRest { generation: 0 });
        assert!(promise.open_to_running().is_ok());
        assert_eq!(promise.ask_to_stop(None), Asked::Refused);
        assert!(promise.complete_promise());
        assert_eq!(promise.ask_to_stop(None), Asked::Refused);

        let closure = pending(TaskKind::Closure);
        assert_eq!(closure.start(), Start::Yours);
        assert_eq!(closure.wake(), Wake::Ignored);
        assert!(!closure.is_asked_to_stop());
    });
}
