//! Prints BLAKE3 digests of files and folders, several files at a time:
//! `cargo run --release --example digest -- PATH…`.
//!
//! There may be far more files than slots. `map` walks through the folders only as far ahead as it
//! has room, and the workers read the files in chunks. So the memory stays the same, however much
//! there is to read.

mod files;

use core::fmt;
use core::sync::atomic::Ordering;
use core::time::Duration;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use lexopt::{Arg, Parser};
use slotted::{Executor, StdThreads, TaskError};

use crate::files::{BYTES_READ, FILES_READ, Report, Unreadable, digest, files};

const WORKERS: usize = 4;
/// How many files are in flight: pending, being read, or waiting for the printer.
const QUEUE: usize = 64;
/// Room for a [`Report`] with its path, and for the bookkeeping of `map`.
const SLOT_BYTES: usize = 128;
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

static POOL: Executor<WORKERS, QUEUE, SLOT_BYTES> = Executor::new();

const VERSION: &str = concat!("digest (slotted ", env!("CARGO_PKG_VERSION"), ")\n");
const HELP: &str = "\
Prints size, lines and BLAKE3 digest of files, several at a time, each as soon as it is known.

Usage: digest [OPTIONS] [--] [PATH]...

Arguments:
  [PATH]...  Files, and folders to go through (default: the sources of slotted).
             Links to folders are not followed inside a folder.

Options:
  -o, --ordered  Print in the order of the walk, not in that of completion
  -h, --help     Print this help
  -V, --version  Print the version

Columns: bytes, newlines (as `wc -l` counts them), digest (as `b3sum` prints it), path.
Control characters in a path are printed as \\xNN, all else as it is, UTF-8 or not.

Exit status: 0 if all went well, 1 if a file could not be read or the output not written,
2 for a wrong argument.
";

/// A request on the command line.
enum Request {
    Show(&'static str),
    Digest { paths: Vec<PathBuf>, order: Order },
}

#[derive(Clone, Copy)]
enum Order {
    Walk,
    Completion,
}

#[derive(Default)]
struct Total {
    files: usize,
    failures: usize,
    bytes: u64,
    newlines: u64,
}

fn main() -> ExitCode {
    let written = match parse(Parser::from_env()) {
        Ok(Request::Show(text)) => io::stdout()
            .write_all(text.as_bytes())
            .map(|()| ExitCode::SUCCESS),
        Ok(Request::Digest { paths, order }) => {
            let threads = StdThreads::new().prefix("digest");
            match POOL.run(&threads, |_| print_digests(files(paths), order)) {
                Ok(written) => written,
                Err(error) => {
                    complain(&error);
                    return ExitCode::FAILURE;
                }
            }
        }
        Err(error) => {
            complain(&format_args!("{error}\nTry `--help`."));
            return ExitCode::from(2);
        }
    };
    match written {
        Ok(status) => status,
        // The reader of the output has read enough, as `head` does.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format_args!("cannot write: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn parse(mut parser: Parser) -> Result<Request, lexopt::Error> {
    let (mut paths, mut order) = (Vec::new(), Order::Completion);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Request::Show(HELP)),
            Arg::Short('V') | Arg::Long("version") => return Ok(Request::Show(VERSION)),
            Arg::Short('o') | Arg::Long("ordered") => order = Order::Walk,
            Arg::Value(path) => paths.push(path.into()),
            Arg::Short(_) | Arg::Long(_) => return Err(argument.unexpected()),
        }
    }
    if paths.is_empty() {
        paths.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    }
    Ok(Request::Digest { paths, order })
}

fn print_digests(
    files: impl Iterator<Item = Result<PathBuf, Unreadable>>,
    order: Order,
) -> io::Result<ExitCode> {
    let started = Instant::now();
    let total = thread::scope(|threads| {
        // The end of this closure drops the promise, even in a panic, and so ends the wait of the
        // progress line.
        let (_busy, mut idle) = POOL.promise::<()>().expect("no slot is taken yet");
        if io::stderr().is_terminal() {
            threads.spawn(move || {
                while let Err(TaskError::TimedOut) = idle.result_timeout(PROGRESS_INTERVAL) {
                    draw_progress(started.elapsed());
                }
            });
        }
        let results = POOL
            .map(files, |found| found.and_then(digest))
            .buffersize(QUEUE - 1);
        match order {
            Order::Walk => print_each(results),
            Order::Completion => print_each(results.unordered()),
        }
    });
    clear_progress();
    let total = total?;
    print_total(&total)?;
    complain(&format_args!(
        "{} in {:.2} s",
        Amount(total.bytes),
        started.elapsed().as_secs_f64()
    ));
    complain(&format_args!(
        "{WORKERS} workers, {QUEUE} slots of {SLOT_BYTES} bytes: {}",
        POOL.stats()
    ));
    Ok(if total.failures == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn print_each(
    results: impl Iterator<Item = Result<Result<Report, Unreadable>, TaskError>>,
) -> io::Result<Total> {
    let mut total = Total::default();
    for result in results {
        // The lock keeps the progress line out of the output.
        let mut out = io::stdout().lock();
        clear_progress();
        match result {
            Ok(Ok(Report {
                path,
                bytes,
                newlines,
                hash,
            })) => {
                write!(out, "{bytes:>14} {newlines:>11}  {hash}  ")?;
                out.write_all(&printable(&path))?;
                out.write_all(b"\n")?;
                total.files += 1;
                total.bytes += bytes;
                total.newlines += newlines;
            }
            Ok(Err(Unreadable { path, reason })) => {
                complain(&format_args!(
                    "{}: {reason}",
                    String::from_utf8_lossy(&printable(&path))
                ));
                total.failures += 1;
            }
            Err(error) => {
                complain(&error);
                total.failures += 1;
            }
        }
    }
    Ok(total)
}

fn print_total(total: &Total) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let (plural, failures) = (if total.files == 1 { "" } else { "s" }, total.failures);
    write!(
        out,
        "{:>14} {:>11}  total of {} file{plural}",
        total.bytes, total.newlines, total.files
    )?;
    if failures > 0 {
        write!(out, ", {failures} more could not be read")?;
    }
    writeln!(out)
}

/// The path's bytes, in a form that fits on one line.
fn printable(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for &byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            0..b' ' | 0x7f => bytes.extend(format!("\\x{byte:02x}").bytes()),
            _ => bytes.push(byte),
        }
    }
    bytes
}

fn draw_progress(elapsed: Duration) {
    let (files, bytes) = (
        FILES_READ.load(Ordering::Relaxed),
        BYTES_READ.load(Ordering::Relaxed),
    );
    let rate = Amount((bytes as f64 / elapsed.as_secs_f64()) as u64);
    // The lock keeps the progress line out of the output.
    let _out = io::stdout().lock();
    // The work goes on without a progress line.
    let _ = write!(
        io::stderr(),
        "\r\x1b[K{files} files, {}, {rate}/s",
        Amount(bytes)
    );
}

fn clear_progress() {
    let mut error = io::stderr();
    if error.is_terminal() {
        let _ = error.write_all(b"\r\x1b[K");
    }
}

fn complain(what: &dyn fmt::Display) {
    // There is no other place to report that this one is closed.
    let _ = writeln!(io::stderr(), "digest: {what}");
}

/// A number of bytes, in units for humans.
struct Amount(u64);

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut amount = self.0 as f64;
        let mut units = ["KiB", "MiB", "GiB", "TiB"].iter();
        let mut unit = &"B";
        while amount >= 1024.0 {
            let Some(next) = units.next() else { break };
            (amount, unit) = (amount / 1024.0, next);
        }
        let digits = usize::from(*unit != "B");
        write!(f, "{amount:.digits$} {unit}")
    }
}
