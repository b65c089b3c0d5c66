//! Measures the longest critical section of each operation: how long an interrupt may have to wait.
//!
//! The program has its own critical section, which reads the clock. The figures exclude what an
//! empty section takes.
#![no_std]
#![no_main]

mod dates;
mod levels;
mod workload;

use cortex_m_rt::entry;
use cortex_m3_budgets::meter::{Meter, done, tell};
use cortex_m3_budgets::timed::longest;
use panic_semihosting as _;
use slotted::Executor;

use crate::workload::{OPERATIONS, Workload};

static SMALL: Workload<8> = Workload {
    executor: Executor::new(),
};
static LARGE: Workload<64> = Workload {
    executor: Executor::new(),
};

#[entry]
fn main() -> ! {
    // This starts the clock.
    let _meter = Meter::new();
    let empty = longest(|| critical_section::with(|_| ()));
    assert!(empty > 0);
    let instructions = |ticks: u32| (u64::from(ticks.saturating_sub(empty)) * 40 + 128) >> 8;

    let mut all = [0; 2];
    for (name, small, large) in OPERATIONS {
        let few = instructions(longest(|| small(&SMALL)));
        let many = instructions(longest(|| large(&LARGE)));
        tell(name, few, "instructions");
        all = [all[0].max(few), all[1].max(many)];
    }
    tell("the longest, with 8 slots", all[0], "instructions");
    tell("the longest, with 64 slots", all[1], "instructions");
    let sections: [(_, fn()); 3] = [
        ("four levels", levels::use_all),
        ("a timetable of 8", dates::use_all::<8>),
        ("a timetable of 64", dates::use_all::<64>),
    ];
    for (name, work) in sections {
        tell(name, instructions(longest(work)), "instructions");
    }
    done();
}
