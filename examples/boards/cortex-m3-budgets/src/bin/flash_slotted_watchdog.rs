//! A program on a host with a watchdog.
#![no_std]
#![no_main]

cortex_m3_budgets::flash_program!(slotted_watchdog);
