//! The rules for the sources, checked by a test. They say which file may use which other, and where
//! `unsafe` may stand. They also limit the length of a file, and the names of atomics and locks to
//! one room.
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

#[test]
fn files_are_short_and_lines_are_narrow() {
    let faults = rules::measure_faults(&source::everywhere());
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}
