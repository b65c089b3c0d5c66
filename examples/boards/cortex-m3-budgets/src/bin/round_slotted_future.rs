//! Measures the round trip of a future.
#![no_std]
#![no_main]

cortex_m3_budgets::round_program!("submit_future, run_one, result", slotted_future);
