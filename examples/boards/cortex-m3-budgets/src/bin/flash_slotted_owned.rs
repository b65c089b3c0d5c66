//! The smallest program with a worker that owns something.
#![no_std]
#![no_main]

#[path = "../rounds/slotted_owned.rs"]
mod slotted_owned;

cortex_m3_budgets::flash_program!(at slotted_owned);
