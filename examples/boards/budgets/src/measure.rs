//! The list of all figures.

use std::error::Error;

use crate::figure::{Figure, Group};
use crate::flash::Sizes;
use crate::guest::Guests;

/// Measured by running: the title of each group, and its programs.
const RUN: &[(&str, &[&str])] = &[
    (
        "closures",
        &[
            "round_slotted",
            "round_slotted_try",
            "round_slotted_two",
            "round_slotted_worker",
            "round_slotted_owned",
            "parts_slotted",
            "cancel_slotted",
            "stop_slotted",
        ],
    ),
    ("futures", &["round_slotted_future", "wake_slotted"]),
    ("promises", &["promise_slotted"]),
    ("timers", &["timer_slotted", "sleep_slotted"]),
    ("levels", &["round_slotted_levels", "levels_slotted"]),
    ("many handles", &["as_completed_slotted"]),
    ("longest critical section", &["sections_slotted"]),
    ("RAM and stack", &["memory_slotted"]),
    ("calls over a line", &["round_line", "memory_remote"]),
    ("a host that looks at steps", &["trace_slotted"]),
    // A FreeRTOS round trip needs a kernel and threads. `../freertos-m3` measures it.
    (
        "peers",
        &[
            "round_embassy",
            "round_embassy_wait",
            "round_deque",
            "round_mpmc",
        ],
    ),
    ("timers of peers", &["timer_embassy", "timer_rtic"]),
    (
        "longest critical section of peers' timers",
        &["sections_peers"],
    ),
];

/// The program with an empty `main`.
const EMPTY: &str = "flash_empty";
/// Measured by inspection: flash and RAM, each as the difference from the empty program. Only
/// "flash in all" includes the empty program's vectors and start-up code.
const LOOK: &[(&str, &[(&str, &str)])] = &[
    (
        "flash and RAM of slotted",
        &[
            ("submit, run_one, result", "flash_slotted"),
            ("submit, run_one, try_result", "flash_slotted_try"),
            (
                "submit, run_one, result, with two executors",
                "flash_slotted_two",
            ),
            ("submit, Worker::run_one, result", "flash_slotted_worker"),
            (
                "submit, OwnedWorker::run_one, result",
                "flash_slotted_owned",
            ),
            ("submit_future, run_one, result", "flash_slotted_future"),
            (
                "submit_at, advance, run_one, try_result",
                "flash_slotted_timer",
            ),
            (
                "submit, run_one, try_result, with 4 levels",
                "flash_slotted_levels",
            ),
            (
                "submit_stoppable, run_one, request_stop, try_result",
                "flash_slotted_stop",
            ),
        ],
    ),
    (
        "flash and RAM of slotted-remote",
        &[
            (
                "a link of 4 calls of 64 bytes, and an executor",
                "flash_link",
            ),
            ("a worker of 4 calls of 64 bytes", "flash_line_worker"),
        ],
    ),
    (
        "flash and RAM of slotted-trace",
        &[
            (
                "submit, run_one, try_result, recorded",
                "flash_slotted_recorder",
            ),
            (
                "submit, run_one, try_result, watched",
                "flash_slotted_watchdog",
            ),
        ],
    ),
    (
        "flash and RAM of peers",
        &[
            ("embassy-executor", "flash_embassy"),
            (
                "embassy-executor with a task that waits",
                "flash_embassy_wait",
            ),
            (
                "embassy-executor and embassy-time: spawn, alarm, poll, take",
                "flash_embassy_timer",
            ),
            (
                "RTIC's executor and rtic-time: spawn, alarm, poll, take",
                "flash_rtic_timer",
            ),
            ("critical section and heapless Deque", "flash_deque"),
            ("heapless mpmc", "flash_mpmc"),
        ],
    ),
];

pub(crate) fn everything(guests: &Guests) -> Result<Vec<Group>, Box<dyn Error>> {
    let mut groups = Vec::new();
    for (title, programs) in RUN {
        let mut figures = Vec::new();
        for program in *programs {
            figures.extend(guests.figures(program)?);
        }
        groups.push(Group {
            title: (*title).to_owned(),
            figures,
        });
    }
    let empty = Sizes::of(guests, EMPTY)?;
    for (title, programs) in LOOK {
        let mut figures = Vec::new();
        for (name, program) in *programs {
            let sizes = Sizes::of(guests, program)?;
            figures.push(Figure::bytes(
                format!("{name}: flash"),
                sizes.flash - empty.flash,
            ));
            figures.push(Figure::bytes(format!("{name}: flash in all"), sizes.flash));
            figures.push(Figure::bytes(format!("{name}: RAM"), sizes.ram - empty.ram));
        }
        groups.push(Group {
            title: (*title).to_owned(),
            figures,
        });
    }
    Ok(groups)
}
