//! The smallest program with an mpmc queue of function pointers.
#![no_std]
#![no_main]

cortex_m3_budgets::flash_program!(mpmc);
