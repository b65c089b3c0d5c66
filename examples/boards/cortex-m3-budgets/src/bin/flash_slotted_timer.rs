//! The smallest program with a timetable, without a wait.
#![no_std]
#![no_main]

cortex_m3_budgets::flash_program!(slotted_timer);
