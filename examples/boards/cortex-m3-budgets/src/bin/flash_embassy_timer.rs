//! The smallest program with an embassy task that waits for a date.
#![no_std]
#![no_main]

cortex_m3_budgets::flash_program!(embassy_timer);
