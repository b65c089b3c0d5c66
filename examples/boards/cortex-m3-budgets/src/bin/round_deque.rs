//! Measures the round trip of a function pointer through a deque.
#![no_std]
#![no_main]

cortex_m3_budgets::round_program!(
    "critical section and heapless Deque: push, pop, call",
    deque
);
