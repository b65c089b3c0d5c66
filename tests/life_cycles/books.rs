//! The accounts at the end of a life cycle.

use core::sync::atomic::Ordering;
use std::sync::Arc;

use crate::case::{Body, Fate, Item, Outcome, Wait};
use crate::foreign::lock;
use crate::ledger::Ledger;
use crate::script::Script;

/// Checks that each item was dropped once, that each listener saw the outcome once, and that the
/// figures agree.
pub(crate) fn check_books(script: &Script) {
    let case = script.case;
    let outcome = case.outcome();
    let made = |item| Ledger::of(&script.ledger.made, item);
    let forgotten = case.fate == Fate::Forgotten;

    let given_back = case.body == Body::PromiseKept && outcome == Outcome::Cancelled;
    let throws = matches!(
        case.body,
        Body::Panics | Body::AsyncPanics | Body::AsyncPanicsAfterWake
    );
    assert_eq!(made(Item::Capture), usize::from(!case.body.is_promise()));
    assert_eq!(
        made(Item::Value),
        usize::from(outcome == Outcome::Value || given_back)
    );
    assert_eq!(made(Item::Callback), usize::from(case.wait.calls_back()));
    assert_eq!(
        made(Item::Payload),
        usize::from(outcome == Outcome::Panicked && throws)
    );

    assert_eq!(script.ledger.alive(Item::Capture), 0, "captures alive");
    assert_eq!(script.ledger.alive(Item::Callback), 0, "callbacks alive");
    // A forgotten handle leaks its slot with the value or error in it.
    assert_eq!(
        script.ledger.alive(Item::Value),
        usize::from(forgotten && outcome == Outcome::Value),
        "values alive"
    );
    let payloads = usize::from(forgotten && outcome == Outcome::Panicked && throws);
    assert_eq!(
        script.ledger.alive(Item::Payload),
        payloads,
        "payloads alive"
    );

    let taken = matches!(case.fate, Fate::Result | Fate::TryResult);
    let listened = case.wait.calls_back() || case.wait == Wait::Error;
    assert_eq!(
        lock(&script.seen).len(),
        usize::from(taken) + usize::from(listened),
        "each taker and listener sees the outcome once"
    );

    let polled = case.wait == Wait::Await;
    let wakes = script.wakes.0.load(Ordering::SeqCst);
    assert_eq!(
        wakes,
        usize::from(polled && case.handle_sees_the_end()),
        "the waiter that awaits is woken once"
    );
    assert_eq!(Arc::strong_count(&script.wakes), 1, "no waker is left");

    let stats = (script.stats)();
    let ran = matches!(outcome, Outcome::Value | Outcome::Panicked);
    assert_eq!(stats.slots_in_use, usize::from(forgotten), "slots in use");
    assert_eq!(
        stats.slots_high_water,
        1 + usize::from(case.wait == Wait::Callback),
        "slots in use at most"
    );
    assert_eq!((stats.queued, stats.running, stats.refused), (0, 0, 0));
    assert_eq!(stats.completed, usize::from(ran), "completed");
    assert_eq!(
        stats.cancelled,
        usize::from(outcome == Outcome::Cancelled),
        "cancelled"
    );
    assert_eq!(
        stats.panicked,
        usize::from(outcome == Outcome::Panicked),
        "panicked"
    );
    assert_eq!(
        stats.callbacks_panicked,
        usize::from(case.drop_panics == Some(Item::Callback)),
        "callbacks panicked"
    );
}
