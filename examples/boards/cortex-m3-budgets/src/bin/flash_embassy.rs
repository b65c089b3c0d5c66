//! The smallest program with embassy-executor.
#![no_std]
#![no_main]

cortex_m3_budgets::flash_program!(embassy);
