//! Python's `ThreadPoolExecutor`, measured by Python.

use std::process::Command;

use super::Found;
use crate::arguments::Effort;
use crate::workload::Workload;

const SCRIPT: &str = include_str!("thread_pool_executor.py");

/// What prints a sample, as this program does with `--sample`.
pub fn measure(workload: Workload, effort: Effort) -> Command {
    let mut command = Command::new("python3");
    command.args(["-c", SCRIPT, workload.name(), if effort == Effort::Quick { "quick" } else { "full" }]);
    command
}

pub fn find(workload: Workload) -> Found {
    match workload {
        Workload::One
        | Workload::OneAfterPause
        | Workload::Stream
        | Workload::SeveralStreams
        | Workload::Completion
        | Workload::Cancel => Found::Python,
        Workload::ForkJoin => Found::Deadlock,
        _ => Found::Missing,
    }
}
