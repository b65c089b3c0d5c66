//! Measures the round trip of a closure through one of two executors.
#![no_std]
#![no_main]

cortex_m3_budgets::round_program!("submit, run_one, result, with two executors", slotted_two);
