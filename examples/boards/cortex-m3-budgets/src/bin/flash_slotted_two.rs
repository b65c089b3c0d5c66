//! The smallest program with two executors.
#![no_std]
#![no_main]

cortex_m3_budgets::flash_program!(slotted_two);
