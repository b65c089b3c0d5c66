//! Rules for the sources, checked by a test: which file may use which, where `unsafe` and the names
//! of atomics and locks may stand, how long a file may be.
//!
//! A new edge is a design change: alter [`ROOMS`](table::ROOMS) in a commit of its own and argue
//! for it there.
#![cfg(not(miri))]

mod faults;
mod rules;
mod source;
mod table;

use crate::source::Sources;

/// What all rules find wrong.
fn faults_of(sources: &Sources) -> Vec<String> {
    rules::RULES.iter().flat_map(|rule| rule(sources)).collect()
}

#[test]
fn the_sources_keep_the_rules() {
    let faults = faults_of(&source::sources());
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}
