//! Measures the round trip of a closure.
#![no_std]
#![no_main]

cortex_m3_budgets::round_program!("submit, run_one, result", slotted);
