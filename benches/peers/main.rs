//! Runs `slotted` and its peers side by side: `cargo bench --bench peers -- --help`.
//!
//! The first process decides and reports. It takes each sample in a process of its own: this
//! executable again, with `--sample`. So a peer never meets another peer's threads, memory or
//! leftovers. Samples are interleaved: every peer once, then every peer again.

mod arguments;
mod chart;
mod critical_section;
mod memory;
mod overview;
mod peer;
mod pool;
mod probe;
mod processor;
mod record;
mod sample;
mod suite;
mod table;
mod work;
mod workload;

use std::process::ExitCode;

use arguments::{Arguments, Task};

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

fn main() -> ExitCode {
    let done = Arguments::parse().and_then(|arguments| match arguments.task {
        Task::Help => {
            print!("{}", arguments::HELP);
            Ok(true)
        }
        Task::Sample {
            ref workload,
            ref peer,
        } => sample::take(workload, peer, arguments.effort).map(|()| true),
        Task::Suite => suite::run(&arguments),
        Task::Read => suite::read(&arguments),
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("peers: {fault}");
            ExitCode::FAILURE
        }
    }
}
