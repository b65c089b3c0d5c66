//! Measures a call over a line, at both ends.
#![no_std]
#![no_main]

cortex_m3_budgets::round_program!("a call and its reply, both ends", line);
