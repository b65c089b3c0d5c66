//! Measures the round trip of a closure of the highest of four levels, without a wait.
#![no_std]
#![no_main]

cortex_m3_budgets::round_program!("submit, run_one, try_result, 4 levels", slotted_levels);
