//! What a call to another process costs, beside other pools of processes: those of Python, and
//! procspawn. Rounds of one after another, medians, and ratios within a round.
//!
//! `cargo bench -p slotted-remote --bench processes`
//!
//! *Round trip*: submit a task, wait for its result, again. *Pipelined*: 64 outstanding. The task
//! squares a number, on two processes. A peer that is missing is skipped, with the reason:
//!
//! - CPython's pool needs `python3`, or the interpreter that the variable `PYTHON` names.
//! - pebble and loky must be installed for that interpreter: `pip install pebble loky`.
//! - procspawn is a program of the benchmarks' package, which must be built before:
//!   `cargo build --release -p slotted-benches --example procspawn_pool`

use core::time::Duration;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command as Program, ExitCode, Stdio};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::{Deserialize, Serialize};
use slotted::Shutdown;
use slotted_remote::Task;
use slotted_remote::process::{Command, Processes, serve};

static POOL: Processes<2, 64, 128> = Processes::new();
/// With one process, so that the task after a crash waits for the next.
static ALONE: Processes<1, 4, 128> = Processes::new();

const CPYTHON: &str = "CPython's ProcessPoolExecutor";

/// How much faster than CPython's pool this one must be: in round trips, and pipelined. It is more
/// than 15 and 25 times as fast where the processors are free; here is a margin for busy ones.
const AT_LEAST: (f64, f64) = (7.0, 15.0);
/// The most time from a crash to the next result: with a margin for machines that are busy.
const CRASH: Duration = Duration::from_millis(10);

const ROUNDS: usize = 9;
/// How many processes crash. The median of few would be that of one busy moment.
const CRASHES: usize = 101;
const ROUND_TRIPS: u32 = 3000;
const PIPELINED: u32 = 20_000;
/// Of a peer, whose calls take longer.
const ROUND_TRIPS_OF_PEER: u32 = ROUND_TRIPS / 4;
const PIPELINED_OF_PEER: u32 = PIPELINED / 8;
/// The most time that a peer has for its end.
const END: Timespec = Timespec {
    tv_sec: 10,
    tv_nsec: 0,
};

#[derive(Serialize, Deserialize)]
struct Square(u64);

impl Task for Square {
    const NAME: &str = "square/1";
    type Output = u64;

    fn run(self) -> u64 {
        self.0 * self.0
    }
}

/// Ends its process.
#[derive(Serialize, Deserialize)]
struct Abort;

impl Task for Abort {
    const NAME: &str = "abort/1";
    type Output = ();

    fn run(self) {
        std::process::abort();
    }
}

/// Nanoseconds of one call.
#[derive(Clone, Copy)]
struct Figures {
    round_trip: f64,
    pipelined: f64,
}

fn per_call(began: Instant, calls: u32) -> f64 {
    began.elapsed().as_nanos() as f64 / f64::from(calls)
}

fn ours() -> Figures {
    let began = Instant::now();
    for number in 0..u64::from(ROUND_TRIPS) {
        let result = POOL.submit(Square(number)).expect("there is room").result();
        assert_eq!(result, Ok(number * number));
    }
    let round_trip = per_call(began, ROUND_TRIPS);
    let began = Instant::now();
    let squares = POOL.map((0..u64::from(PIPELINED)).map(Square));
    let sum: u64 = squares.map(|square| square.expect("it is a number")).sum();
    let pipelined = per_call(began, PIPELINED);
    assert_eq!(
        sum,
        (0..u64::from(PIPELINED))
            .map(|number| number * number)
            .sum()
    );
    Figures {
        round_trip,
        pipelined,
    }
}

/// From the submit of a task that crashes to the result of the next one, which a new process runs.
fn crash_to_next_result() -> Duration {
    let began = Instant::now();
    let crash = ALONE.submit(Abort).expect("there is room");
    let next = ALONE.submit(Square(3)).expect("there is room");
    assert_eq!(next.result(), Ok(9));
    let took = began.elapsed();
    assert!(crash.result().is_err());
    took
}

/// The Python program for one of its pools.
fn python(pool: &str) -> Program {
    let interpreter = env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let mut program = Program::new(interpreter);
    // `-B`: no file of byte code beside the source.
    program.args([
        "-B",
        concat!(env!("CARGO_MANIFEST_DIR"), "/benches/pools.py"),
        pool,
    ]);
    program
}

/// The program of procspawn, beside this one in the target folder.
fn procspawn() -> Result<Program, String> {
    let this = env::current_exe().map_err(|error| error.to_string())?;
    let path = this
        .parent()
        .and_then(Path::parent)
        .unwrap_or(Path::new("."))
        .join("examples/procspawn_pool")
        .with_extension(env::consts::EXE_EXTENSION);
    if path.exists() {
        Ok(Program::new(path))
    } else {
        Err("its program is not built: \
             cargo build --release -p slotted-benches --example procspawn_pool"
            .into())
    }
}

/// A program that measures one pool each time it is asked.
struct Peer {
    name: &'static str,
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts the program. `Err`: why it cannot run.
    fn start(name: &'static str, mut program: Program) -> Result<Self, String> {
        let mut child = program
            .args([ROUND_TRIPS_OF_PEER, PIPELINED_OF_PEER].map(|calls| calls.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", program.get_program().display()))?;
        let answers = child.stdout.take().ok_or("its output is missing")?;
        let mut peer = Self {
            name,
            child,
            answers: BufReader::new(answers),
        };
        match peer.read()?.as_str() {
            "ready" => Ok(peer),
            reason => Err(reason.to_string()),
        }
    }

    fn read(&mut self) -> Result<String, String> {
        let mut line = String::new();
        match self.answers.read_line(&mut line) {
            Ok(0) => Err("it ended".into()),
            Ok(_) => Ok(line.trim_end().to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn measure(&mut self) -> Result<Figures, String> {
        let input = self.child.stdin.as_mut().ok_or("its input is missing")?;
        input.write_all(b"\n").map_err(|error| error.to_string())?;
        let line = self.read()?;
        let mut numbers = line.split(' ').map(str::parse::<f64>);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(round_trip)), Some(Ok(pipelined))) => Ok(Figures {
                round_trip,
                pipelined,
            }),
            _ => Err(line),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Without input a peer ends its workers, then itself. A killed one could leave them behind.
        drop(self.child.stdin.take());
        // Its output ends with it.
        let mut output = [PollFd::new(self.answers.get_ref(), PollFlags::IN)];
        let _ = poll(&mut output, Some(&END));
        // A child that is gone already is no fault.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn main() -> ExitCode {
    serve::<(Square, Abort)>();
    let mut peers = Vec::new();
    for (name, program) in [
        (CPYTHON, Ok(python("concurrent.futures"))),
        ("pebble", Ok(python("pebble"))),
        ("loky", Ok(python("loky"))),
        ("procspawn", procspawn()),
    ] {
        match program.and_then(|program| Peer::start(name, program)) {
            Ok(peer) => peers.push((peer, Vec::new(), Vec::new())),
            Err(reason) => println!("skipped: {name} because {reason}"),
        }
    }
    let command = Command::current_exe();
    if let Err(error) = POOL.start(&command).and_then(|()| ALONE.start(&command)) {
        eprintln!("error: {error}");
        return ExitCode::FAILURE;
    }
    ours(); // warms up
    let mut all = Vec::new();
    for _ in 0..ROUNDS {
        let figures = ours();
        for (peer, figures_of_peer, ratios) in &mut peers {
            match peer.measure() {
                Ok(theirs) => {
                    figures_of_peer.push(theirs);
                    ratios.push((
                        theirs.round_trip / figures.round_trip,
                        theirs.pipelined / figures.pipelined,
                    ));
                }
                Err(reason) => eprintln!("{}: {reason}", peer.name),
            }
        }
        all.push(figures);
    }
    let crash = (0..CRASHES).map(|_| crash_to_next_result().as_secs_f64());
    let crash = Duration::from_secs_f64(median(crash.collect()));
    let show = |name: &str, figures: &[Figures], ratios: &[(f64, f64)]| {
        if figures.is_empty() {
            return;
        }
        let of = |part: fn(&Figures) -> f64| median(figures.iter().map(part).collect()) / 1000.0;
        let round_trip = of(|figures| figures.round_trip);
        let pipelined = of(|figures| figures.pipelined);
        let ratio = |part: fn(&(f64, f64)) -> f64| match ratios {
            [] => 1.0,
            ratios => median(ratios.iter().map(part).collect()),
        };
        let (first, second) = (ratio(|pair| pair.0), ratio(|pair| pair.1));
        println!(
            "{name:32} round trip {round_trip:8.1} µs (x {first:5.1})   \
             pipelined {pipelined:8.1} µs (x {second:5.1})"
        );
    };
    show("slotted-remote", &all, &[]);
    for (peer, figures, ratios) in &peers {
        show(peer.name, figures, ratios);
    }
    println!(
        "crash to the next result, in a new process: {} µs",
        crash.as_micros()
    );
    let mut is_good = crash <= CRASH;
    if let Some((_, _, ratios)) = peers.iter().find(|(peer, ..)| peer.name == CPYTHON) {
        let (round_trip, pipelined) = ratios.iter().copied().unzip();
        let (round_trip, pipelined) = (median(round_trip), median(pipelined));
        is_good &= round_trip >= AT_LEAST.0 && pipelined >= AT_LEAST.1;
    }
    for pool in [
        POOL.shutdown(Shutdown::Drain),
        ALONE.shutdown(Shutdown::Drain),
    ] {
        if let Err(error) = pool {
            eprintln!("error: {error}");
            is_good = false;
        }
    }
    if is_good {
        ExitCode::SUCCESS
    } else {
        eprintln!("FAILED: wanted at least x {AT_LEAST:?} of {CPYTHON}, and at most {CRASH:?}");
        ExitCode::FAILURE
    }
}
