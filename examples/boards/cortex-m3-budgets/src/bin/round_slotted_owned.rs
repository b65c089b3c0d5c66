//! Measures the round trip of a closure through a worker that owns something.
#![no_std]
#![no_main]

#[path = "../rounds/slotted_owned.rs"]
mod slotted_owned;

cortex_m3_budgets::round_program!("submit, OwnedWorker::run_one, result", at slotted_owned);
