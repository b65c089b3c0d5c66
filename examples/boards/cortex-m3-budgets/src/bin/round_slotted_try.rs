//! Measures the round trip of a closure, without a wait.
#![no_std]
#![no_main]

cortex_m3_budgets::round_program!("submit, run_one, try_result", slotted_try);
