//! A program on a host with a recorder.
#![no_std]
#![no_main]

cortex_m3_budgets::flash_program!(slotted_recorder);
