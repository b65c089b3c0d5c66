//! The smallest program that submits to another chip.
#![no_std]
#![no_main]

cortex_m3_budgets::flash_program!(link);
