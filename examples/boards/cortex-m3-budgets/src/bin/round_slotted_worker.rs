//! Measures the round trip of a closure through a worker.
#![no_std]
#![no_main]

cortex_m3_budgets::round_program!("submit, Worker::run_one, result", slotted_worker);
