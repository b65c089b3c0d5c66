//! A timeline as a Chrome trace: <https://ui.perfetto.dev> and `chrome://tracing` show it.
//!
//! It is the array form of the Trace Event Format. Each executor is a process; each of its workers
//! is a thread of it, and so is what ran on other threads. Tasks are slices, with their slot,
//! generation and queueing time as arguments. Waiting tasks are asynchronous slices beside them.
//! Refusals, cancellations and dates that came are instants.
//!
//! Steps do not tell which thread submitted a task. So there are no arrows from there.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};
use std::format;
use std::io::{self, Write};
use std::string::{String, ToString};

use serde_json::{Value, json};

use crate::event::Task;
use crate::timeline::{Moment, Slice, Stop, Timeline, Track};

/// The thread of instants that belong to none.
const NO_THREAD: u32 = 0;
/// The thread of worker 0. Numbers of up to 63 workers follow.
const FIRST_WORKER: u32 = 1;
const FIRST_OTHER: u32 = 1000;

/// Gives an address a name.
type Naming<'n> = &'n dyn Fn(usize) -> String;

/// How to write a timeline as a Chrome trace.
///
/// ```
/// use slotted_trace::chrome::Chrome;
/// use slotted_trace::timeline::Timeline;
///
/// let mut json = Vec::new();
/// Chrome::new(1_000_000_000) // ticks are nanoseconds
///     .name_kinds(&|kind| format!("task {kind:#x}"))
///     .write(&Timeline::default(), &mut json)?;
/// assert_eq!(json, b"[\n\n]\n");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Chrome<'n> {
    ticks_per_second: u64,
    kinds: Naming<'n>,
    executors: Naming<'n>,
}

impl<'n> Chrome<'n> {
    /// For ticks of that many a second.
    ///
    /// # Panics
    ///
    /// If that is 0.
    #[must_use]
    pub fn new(ticks_per_second: u64) -> Self {
        assert!(ticks_per_second > 0, "a clock has ticks");
        Self {
            ticks_per_second,
            kinds: &|kind| format!("task {kind:#x}"),
            executors: &|executor| format!("executor {executor:#x}"),
        }
    }

    /// Names tasks by the address that stands for their type. The symbol at that address in the
    /// executable tells the type: on a board that of the ELF file, on a desktop that of the program
    /// itself. 0 is the address where the event that had it is lost.
    #[must_use]
    pub fn name_kinds(self, name: Naming<'n>) -> Self {
        Self {
            kinds: name,
            ..self
        }
    }

    /// Names executors by their address.
    #[must_use]
    pub fn name_executors(self, name: Naming<'n>) -> Self {
        Self {
            executors: name,
            ..self
        }
    }

    /// Writes the trace. Flushes nothing.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write(&self, timeline: &Timeline, out: impl Write) -> io::Result<()> {
        let mut array = Array {
            out,
            separator: "[\n",
        };
        let processes = processes(timeline);
        for (&executor, &process) in &processes {
            let name = (self.executors)(executor);
            array.push(&metadata("process_name", process, NO_THREAD, name))?;
        }
        let tracks: BTreeSet<_> = { timeline.slices.iter() }
            .map(|slice| (processes[&slice.executor], slice.track))
            .collect();
        for (process, track) in tracks {
            let name = track.to_string();
            array.push(&metadata("thread_name", process, thread(track), name))?;
        }
        for slice in &timeline.slices {
            array.push(&self.slice(slice, processes[&slice.executor]))?;
        }
        for (number, wait) in timeline.waits.iter().enumerate() {
            // The two ends of an asynchronous slice.
            for (phase, tick) in [("b", wait.begin), ("e", wait.end)] {
                array.push(&json!({
                    "ph": phase,
                    "cat": "queue",
                    "id": number,
                    "name": (self.kinds)(wait.kind),
                    "pid": processes[&wait.executor],
                    "tid": NO_THREAD,
                    "ts": self.microseconds(tick),
                    "args": task_arguments(wait.task),
                }))?;
            }
        }
        for instant in &timeline.instants {
            let name = match instant.moment {
                Moment::Refused(reason) => format!("refused: {reason:?}"),
                Moment::Cancelled => "cancelled".into(),
                Moment::Due => "due".into(),
            };
            let mut arguments = instant.task.map_or_else(|| json!({}), task_arguments);
            if instant.kind != 0 {
                arguments["kind"] = (self.kinds)(instant.kind).into();
            }
            array.push(&json!({
                "ph": "i",
                "s": "p",
                "name": name,
                "pid": processes[&instant.executor],
                "tid": NO_THREAD,
                "ts": self.microseconds(instant.tick),
                "args": arguments,
            }))?;
        }
        array.close()
    }

    fn slice(&self, slice: &Slice, process: u32) -> Value {
        let mut arguments = task_arguments(slice.task);
        arguments["ends"] = match slice.stop {
            Stop::Rested => "rests".into(),
            Stop::Ended(outcome) => format!("{outcome:?}").into(),
            Stop::Cancelled => "cancelled".into(),
            Stop::Unfinished => "unfinished".into(),
        };
        if let Some(queued) = slice.queued {
            arguments["queued_us"] = self.microseconds(queued).into();
        }
        json!({
            "ph": "X",
            "cat": "task",
            "name": (self.kinds)(slice.kind),
            "pid": process,
            "tid": thread(slice.track),
            "ts": self.microseconds(slice.begin),
            "dur": self.microseconds(slice.end - slice.begin),
            "args": arguments,
        })
    }

    fn microseconds(&self, ticks: u64) -> f64 {
        ticks as f64 * 1e6 / self.ticks_per_second as f64
    }
}

impl fmt::Debug for Chrome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chrome")
            .field("ticks_per_second", &self.ticks_per_second)
            .finish_non_exhaustive()
    }
}

/// A JSON array with an object on each line.
struct Array<W> {
    out: W,
    separator: &'static str,
}

impl<W: Write> Array<W> {
    fn push(&mut self, value: &Value) -> io::Result<()> {
        self.out.write_all(self.separator.as_bytes())?;
        self.separator = ",\n";
        serde_json::to_writer(&mut self.out, value).map_err(io::Error::from)
    }

    fn close(mut self) -> io::Result<()> {
        if self.separator == "[\n" {
            self.out.write_all(b"[\n")?;
        }
        self.out.write_all(b"\n]\n")
    }
}

/// A number for each executor, from 1.
fn processes(timeline: &Timeline) -> BTreeMap<usize, u32> {
    let slices = timeline.slices.iter().map(|slice| slice.executor);
    let waits = timeline.waits.iter().map(|wait| wait.executor);
    let instants = timeline.instants.iter().map(|instant| instant.executor);
    let mut processes: BTreeMap<_, _> = { slices.chain(waits).chain(instants) }
        .map(|executor| (executor, 0))
        .collect();
    for (process, number) in processes.values_mut().zip(1..) {
        *process = number;
    }
    processes
}

fn thread(track: Track) -> u32 {
    match track {
        Track::Worker(worker) => FIRST_WORKER + u32::from(worker),
        Track::Other(number) => FIRST_OTHER + u32::from(number),
    }
}

fn metadata(what: &str, process: u32, thread: u32, name: String) -> Value {
    json!({
        "ph": "M",
        "name": what,
        "pid": process,
        "tid": thread,
        "args": { "name": name },
    })
}

fn task_arguments(task: Task) -> Value {
    json!({ "slot": task.slot, "generation": task.generation })
}
