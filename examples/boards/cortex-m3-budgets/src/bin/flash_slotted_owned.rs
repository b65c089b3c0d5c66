//! The smallest program with a worker that owns something.
#![no_std]
#![no_main]

cortex_m3_budgets::flash_program!(slotted_owned);
