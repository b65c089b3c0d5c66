//! The smallest useful program with an executor.
#![no_std]
#![no_main]

cortex_m3_budgets::flash_program!(slotted);
