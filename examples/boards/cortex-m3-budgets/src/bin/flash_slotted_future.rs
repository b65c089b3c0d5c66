//! The smallest program with futures.
#![no_std]
#![no_main]

cortex_m3_budgets::flash_program!(slotted_future);
