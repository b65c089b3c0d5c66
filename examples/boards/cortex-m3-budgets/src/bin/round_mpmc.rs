//! Measures the round trip of a function pointer through an mpmc queue.
#![no_std]
#![no_main]

cortex_m3_budgets::round_program!("heapless mpmc: enqueue, dequeue, call", mpmc);
