//! Records what slotted's example `digest` does with some files, and writes it as a Chrome trace
//! and as a picture: `cargo run --release -p slotted-trace --example timeline -- -o FOLDER PATH…`.
//!
//! <https://ui.perfetto.dev> shows `FOLDER/timeline.json`. `FOLDER/timeline.svg` is the picture in
//! the documentation.

#[path = "../../../examples/digest/files.rs"]
#[expect(dead_code, reason = "`digest` prints more of a file")]
mod files;
mod picture;

use core::error::Error;
use core::time::Duration;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use lexopt::Arg;
use slotted::{Clock, Executor, Park, StdHost, StdThreads, Step};
use slotted_trace::chrome::Chrome;
use slotted_trace::timeline::Timeline;
use slotted_trace::{Latencies, Recorder};

use crate::files::{Report, Unreadable, digest, files};

const WORKERS: usize = 4;
const QUEUE: usize = 64;

static POOL: Executor<WORKERS, QUEUE, 128, Traced> = Executor::new();
/// Room for some 5000 files.
static RECORDER: Recorder<16384> = Recorder::new();
static LATENCIES: Latencies<QUEUE> = Latencies::new(&POOL);

/// Std's host, which is told the steps.
struct Traced;

impl Park for Traced {
    type Thread = std::thread::Thread;
    type Order = slotted::Fifo;
    const FAIR: bool = StdHost::FAIR;

    fn current() -> Self::Thread {
        StdHost::current()
    }

    fn current_id() -> usize {
        StdHost::current_id()
    }

    fn park() {
        StdHost::park();
    }

    fn unpark(thread: &Self::Thread) {
        StdHost::unpark(thread);
    }

    fn spin(round: u32) -> bool {
        StdHost::spin(round)
    }

    fn yield_now(round: u32) -> bool {
        StdHost::yield_now(round)
    }

    fn note(step: impl FnOnce() -> Step) {
        let (tick, step) = (StdHost::now(), step());
        RECORDER.note(tick, step);
        LATENCIES.note(tick, step);
    }
}

struct Request {
    folder: PathBuf,
    paths: Vec<PathBuf>,
}

fn parse() -> Result<Request, lexopt::Error> {
    let (mut folder, mut paths) = (None, Vec::new());
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('o') => folder = Some(parser.value()?.into()),
            Arg::Value(path) => paths.push(path.into()),
            other => return Err(other.unexpected()),
        }
    }
    match (folder, paths) {
        (Some(folder), paths) if !paths.is_empty() => Ok(Request { folder, paths }),
        _ => Err("usage: timeline -o FOLDER PATH…".into()),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let Request { folder, paths } = parse()?;
    let (mut count, mut bytes) = (0, 0);
    POOL.run(&StdThreads::new().prefix("digest"), |pool| {
        let results = pool
            .map(files(paths), |found| found.and_then(digest))
            .unordered();
        for result in results {
            match result? {
                Ok(Report { bytes: more, .. }) => {
                    count += 1;
                    bytes += more;
                }
                Err(Unreadable { path, reason }) => eprintln!("{}: {reason}", path.display()),
            }
        }
        Ok::<(), slotted::TaskError>(())
    })??;

    let timeline = Timeline::of(RECORDER.reader());
    let mut json = BufWriter::new(File::create(folder.join("timeline.json"))?);
    // There is one kind of task: the closure of the map.
    Chrome::new(StdHost::TICKS_PER_SECOND)
        .name_kinds(&|_| "digest".into())
        .name_executors(&|_| "files".into())
        .write(&timeline, &mut json)?;
    json.flush()?;
    let title = format!("{count} files of {bytes} bytes in all, {WORKERS} workers");
    picture::draw(&timeline, &title, &folder.join("timeline.svg"))?;

    println!("{title}");
    println!(
        "{} events, {} lost; {} slices in timeline.json and timeline.svg",
        RECORDER.count(),
        RECORDER.lost(),
        timeline.slices.len()
    );
    for (what, histogram) in [
        ("queueing", LATENCIES.queueing()),
        ("running", LATENCIES.running()),
    ] {
        let percentile = |percent| {
            let nanoseconds = histogram.percentile(percent).unwrap_or(u64::MAX);
            Duration::from_nanos(nanoseconds)
        };
        let (half, most) = (percentile(50), percentile(99));
        println!("{what}: half below {half:.1?}, 99 % below {most:.1?}");
        print!("{histogram}");
    }
    Ok(())
}
