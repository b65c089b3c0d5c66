//! Python's executors, measured by Python.

use std::process::Command;

use super::Found;
use crate::arguments::Effort;
use crate::workload::Workload;

/// The script's name for them.
const THREADS: &str = "threads";
const PROCESSES: &str = "processes";

const SCRIPT: &str = include_str!("executors.py");

/// The command that prints a sample, as this program does with `--sample`.
pub fn measure(kind: &str, workload: Workload, effort: Effort) -> Command {
    let mut command = Command::new("python3");
    command.args([
        "-c",
        SCRIPT,
        workload.name(),
        if effort == Effort::Quick {
            "quick"
        } else {
            "full"
        },
        kind,
    ]);
    command
}

pub fn find_threads(workload: Workload) -> Found {
    match workload {
        Workload::Cancel => Found::Python(THREADS),
        other => find(THREADS, other),
    }
}

/// W9 is missing: a thread event keeps its workers busy, and processes cannot share it.
pub fn find_processes(workload: Workload) -> Found {
    find(PROCESSES, workload)
}

fn find(kind: &'static str, workload: Workload) -> Found {
    match workload {
        Workload::One
        | Workload::OneAfterPause
        | Workload::Stream
        | Workload::SeveralStreams
        | Workload::Completion => Found::Python(kind),
        Workload::ForkJoin => Found::Deadlock,
        _ => Found::Missing,
    }
}
