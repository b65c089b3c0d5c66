//! What happened, in order.

use core::cell::RefCell;

use critical_section::Mutex;
use heapless::Vec;

static EVENTS: Mutex<RefCell<Vec<&'static str, 20>>> = Mutex::new(RefCell::new(Vec::new()));

/// Notes an event. From any context.
pub(crate) fn note(event: &'static str) {
    critical_section::with(|section| {
        // One too many shows as well: the last is missing.
        let _ = EVENTS.borrow_ref_mut(section).push(event);
    });
}

/// Whether just these events were noted since this was called last.
pub(crate) fn was(expected: &[&str]) -> bool {
    let events = critical_section::with(|section| EVENTS.take(section));
    events.iter().eq(expected)
}
