//! What has gone wrong.

use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// So many faults are kept in words; the others are only counted.
const KEPT: usize = 20;

static COUNT: AtomicUsize = AtomicUsize::new(0);
static FIRST: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps a fault. It does not panic: an executor contains panics.
pub(crate) fn report(fault: &dyn fmt::Display) {
    COUNT.fetch_add(1, Ordering::Relaxed);
    let mut first = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
    if first.len() < KEPT {
        first.push(fault.to_string());
    }
}

pub(crate) fn count() -> usize {
    COUNT.load(Ordering::Relaxed)
}

/// Prints the faults to the standard error stream.
pub(crate) fn print() {
    let first = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
    for fault in &*first {
        eprintln!("soak: FAULT: {fault}");
    }
    let more = count().saturating_sub(first.len());
    if more > 0 {
        eprintln!("soak: and {more} faults more");
    }
}
