//! The smallest program with priority levels, without a wait.
#![no_std]
#![no_main]

cortex_m3_budgets::flash_program!(slotted_levels);
