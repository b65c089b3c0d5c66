//! Measures the round trip of an embassy task.
#![no_std]
#![no_main]

cortex_m3_budgets::round_program!("embassy-executor: spawn, poll, signal, take", embassy);
