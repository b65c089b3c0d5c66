//! Renders pictures that may be hostile, in worker processes: what crashes, hangs or eats memory
//! costs its own file and no other.
//!
//! `cargo run --release -p slotted-remote --example render -- PATH…`
//!
//! Prints a line for each PNG file under the paths as it comes: its size, its colour, and a strip
//! of what it shows. Exits with 1 if a file could not be rendered.

mod picture;

use core::time::Duration;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use serde::{Deserialize, Serialize};
use slotted::Shutdown;
use slotted_remote::Task;
use slotted_remote::process::{Command, Processes, serve};

use picture::Picture;

/// Two processes, room for 64 files, paths of up to 1000 bytes.
static POOL: Processes<2, 64, 1024> = Processes::new();

/// The most that one file may cost.
const TIME: Duration = Duration::from_secs(2);
const MEMORY: u64 = 256 << 20;

/// Renders the file at a path. The worker process reads it, so that no byte of a hostile file is in
/// this one.
#[derive(Serialize, Deserialize)]
struct Render(String);

impl Task for Render {
    const NAME: &str = "render/1";
    type Output = Result<Picture, String>;

    fn run(self) -> Self::Output {
        Picture::of_file(&self.0).map_err(|error| error.to_string().chars().take(200).collect())
    }
}

/// The PNG files at and under the paths of the command line, in order.
fn files() -> Result<Vec<String>, String> {
    let mut arguments = lexopt::Parser::from_env();
    let mut files = Vec::new();
    while let Some(argument) = arguments.next().map_err(|error| error.to_string())? {
        let lexopt::Arg::Value(path) = argument else {
            return Err(argument.unexpected().to_string());
        };
        for entry in walkdir::WalkDir::new(path).sort_by_file_name() {
            let entry = entry.map_err(|error| error.to_string())?;
            let is_picture = entry.path().extension().is_some_and(|end| end == "png");
            if entry.file_type().is_file() && (is_picture || entry.depth() == 0) {
                files.push(entry.path().to_string_lossy().into_owned());
            }
        }
    }
    if files.is_empty() {
        return Err("usage: render PATH…, of PNG files or folders of them".into());
    }
    Ok(files)
}

/// Renders all files, and prints them in order. Returns how many could not be rendered.
fn render_all() -> Result<usize, String> {
    let files = files()?;
    let command = Command::current_exe().memory(MEMORY).time_limit(TIME);
    POOL.start(&command).map_err(|error| error.to_string())?;
    let progress = std::io::stderr().is_terminal();
    let mut failed = 0;
    let pictures = POOL.map(files.iter().cloned().map(Render));
    for (number, (file, picture)) in files.iter().zip(pictures).enumerate() {
        failed += usize::from(!matches!(picture, Ok(Ok(_))));
        let line = match picture {
            Ok(Ok(picture)) => format!("{file}: {picture}"),
            Ok(Err(error)) => format!("{file}: no picture: {error}"),
            Err(error) => format!("{file}: {error}"),
        };
        if progress {
            eprint!("\r\x1b[K");
        }
        println!("{line}");
        if progress {
            eprint!("{} of {}", number + 1, files.len());
            let _ = std::io::stderr().flush(); // a progress line that is late is no fault
        }
    }
    if progress {
        eprint!("\r\x1b[K");
    }
    POOL.shutdown(Shutdown::Drain)
        .map_err(|error| error.to_string())?;
    Ok(failed)
}

fn main() -> ExitCode {
    serve::<(Render,)>(); // in a worker process, this never returns
    match render_all() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failed) => {
            eprintln!("{failed} could not be rendered");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
