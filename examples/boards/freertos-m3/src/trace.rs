//! The trace: events in order.

use core::cell::RefCell;

use critical_section::Mutex;
use heapless::Vec;

static EVENTS: Mutex<RefCell<Vec<&'static str, 20>>> = Mutex::new(RefCell::new(Vec::new()));

/// Records an event. Any context may call it.
pub(crate) fn note(event: &'static str) {
    critical_section::with(|section| {
        // If the trace is full, the last event is missing, and the scenario fails.
        let _ = EVENTS.borrow_ref_mut(section).push(event);
    });
}

/// Returns true if exactly these events came since the last call.
pub(crate) fn was(expected: &[&str]) -> bool {
    let events = critical_section::with(|section| EVENTS.take(section));
    events.iter().eq(expected)
}
