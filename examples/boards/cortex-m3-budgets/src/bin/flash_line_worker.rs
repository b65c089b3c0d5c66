//! The smallest program that works for another chip.
#![no_std]
#![no_main]

cortex_m3_budgets::flash_program!(line_worker);
