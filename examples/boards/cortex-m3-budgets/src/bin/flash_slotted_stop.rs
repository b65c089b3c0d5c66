//! The smallest useful program that asks a closure to stop, without a wait.
#![no_std]
#![no_main]

cortex_m3_budgets::flash_program!(slotted_stop);
