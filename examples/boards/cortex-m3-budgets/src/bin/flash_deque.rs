//! The smallest program with a deque of function pointers.
#![no_std]
#![no_main]

cortex_m3_budgets::flash_program!(deque);
