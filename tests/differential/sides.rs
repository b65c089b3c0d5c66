//! Both players, side by side: a process of Python, and a thread for each program of slotted's.

use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::panic::catch_unwind;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;

use crate::rule::expected;

/// Far longer than any program takes. One that needs it hangs.
pub(crate) const LONG: Duration = Duration::from_secs(30);
/// The same for programs that are tried while a failure shrinks.
const SHRINKING: Duration = Duration::from_secs(3);

/// A process of Python that plays programs.
pub(crate) struct Python {
    /// The script and its argument.
    script: [&'static str; 2],
    child: Child,
    /// `None` once it is told to end.
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

/// The interpreter: the variable `PYTHON`, or `python3`.
fn interpreter() -> OsString {
    std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into())
}

/// Why there is no Python here that this test can use, or `None`.
fn missing_python() -> Option<String> {
    let check = "import sys; sys.exit(sys.version_info < (3, 9))";
    let tried = Command::new(interpreter()).args(["-c", check]).status();
    match tried {
        Ok(status) if status.success() => None,
        Ok(status) => Some(format!(
            "{:?} says {status}: older than 3.9?",
            interpreter()
        )),
        Err(error) => Some(format!("{:?} does not start: {error}", interpreter())),
    }
}

impl Python {
    pub(crate) fn start(script: [&'static str; 2]) -> Self {
        let mut command = Command::new(interpreter());
        command
            .args(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().expect("Python starts");
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (tell, lines) = channel();
        let output = BufReader::new(output.expect("it is piped"));
        thread::spawn(move || {
            let lines = output.lines().map_while(Result::ok);
            let mut told = lines.map(|line| tell.send(line));
            told.all(|sent| sent.is_ok())
        });
        Self {
            script,
            child,
            input,
            lines,
        }
    }

    fn send(&mut self, program: &[String]) {
        let text = program.join("\n") + "\n";
        // If it is gone, the lines that it owes tell.
        let _ = self
            .input
            .as_mut()
            .map(|input| input.write_all(text.as_bytes()));
    }

    /// What it says to each line of a program. If it hangs, another process takes its place.
    fn receive(&mut self, program: &[String], limit: Duration) -> Result<Vec<String>, String> {
        let mut seen = Vec::new();
        for line in program {
            match self.lines.recv_timeout(limit) {
                Ok(said) => seen.push(said),
                Err(error) => {
                    self.kill();
                    *self = Self::start(self.script);
                    return Err(format!("Python: {error}; it saw {seen:?}, then `{line}`"));
                }
            }
        }
        Ok(seen)
    }
}

impl Python {
    /// Kills it, and the processes that it has started: they are of its group.
    fn kill(&mut self) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-9", "--", &group]).status();
        let _ = self.child.kill();
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // At the end of its input it ends its pools, and then itself.
        self.input = None;
        if self.lines.recv_timeout(LONG) != Err(RecvTimeoutError::Disconnected) {
            self.kill();
        }
        let _ = self.child.wait();
    }
}

/// Plays a program with slotted, whose executors are new if the last program failed.
pub(crate) type Play = fn(&[String], bool) -> Vec<String>;

/// The players, or `None` without Python, which the test says.
pub(crate) fn sides(script: [&'static str; 2], play: Play) -> Option<Sides> {
    if let Some(reason) = missing_python() {
        eprintln!("skipped: comparison with CPython because {reason}");
        return None;
    }
    Some(Sides::new(script, play))
}

/// Both players.
pub(crate) struct Sides {
    python: Python,
    play: Play,
    failed: bool,
    /// How many lines were compared.
    pub(crate) lines: usize,
}

impl Sides {
    fn new(script: [&'static str; 2], play: Play) -> Self {
        Self {
            python: Python::start(script),
            play,
            failed: false,
            lines: 0,
        }
    }

    /// What Python and slotted say to each line.
    pub(crate) fn play(&mut self, program: &[String]) -> Result<[Vec<String>; 2], String> {
        let limit = if self.failed { SHRINKING } else { LONG };
        self.python.send(program);
        let (tell, played) = channel();
        let (play, failed, lines) = (self.play, self.failed, program.to_vec());
        thread::spawn(move || {
            let seen = catch_unwind(AssertUnwindSafe(|| play(&lines, failed)));
            tell.send(seen.map_err(|_panic| "slotted's player panicked".to_owned()))
        });
        let slotted = match played.recv_timeout(limit) {
            Ok(seen) => seen,
            Err(error) => Err(format!("slotted: {error}")),
        };
        // Both, so that none has lines of this program left.
        let python = self.python.receive(program, limit);
        self.lines += program.len();
        let seen = python.and_then(|python| Ok([python, slotted?]));
        self.failed |= seen.is_err();
        seen
    }

    /// Plays a program and compares it line by line.
    ///
    /// # Errors
    ///
    /// The program, as far as it went, with what differs.
    pub(crate) fn compare(&mut self, program: &[String]) -> Result<(), String> {
        let told = |why: &str| format!("{why}\n\nThe program:\n{}\n", program.join("\n"));
        let [python, slotted] = self.play(program).map_err(|why| told(&why))?;
        for ((line, python), slotted) in program.iter().zip(&python).zip(&slotted) {
            let fault = match expected(line, python) {
                Ok(expected) if expected == *slotted => continue,
                Ok(expected) => format!("slotted should say `{expected}`"),
                Err(fault) => fault,
            };
            self.failed = true;
            return Err(told(&format!(
                "They differ at `{line}`: {fault}\nPython:  {python}\nslotted: {slotted}"
            )));
        }
        Ok(())
    }
}
