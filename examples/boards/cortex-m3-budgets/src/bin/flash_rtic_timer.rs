//! The smallest program with a task of RTIC that waits for a date.
#![no_std]
#![no_main]

cortex_m3_budgets::flash_program!(rtic_timer);
