//! The tasks of these tests.

use std::io::Write;

use serde::{Deserialize, Serialize};
use slotted_remote::{Idempotent, Task};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Square(pub(crate) u64);

impl Task for Square {
    const NAME: &str = "square/1";
    type Output = u64;

    fn run(self) -> u64 {
        self.0 * self.0
    }
}

/// The process that runs it, and its parent: a node's.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pids;

impl Task for Pids {
    const NAME: &str = "pids/1";
    type Output = (u32, u32);

    fn run(self) -> (u32, u32) {
        (std::process::id(), std::os::unix::process::parent_id())
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Abort;

impl Task for Abort {
    const NAME: &str = "abort/1";
    type Output = ();

    fn run(self) {
        std::process::abort();
    }
}

/// Writes the number of its process to a file, so that others know that it runs, and never ends.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Endless(pub(crate) String);

impl Task for Endless {
    const NAME: &str = "endless/1";
    type Output = ();

    fn run(self) {
        let unready = format!("{}.unready", self.0);
        std::fs::write(&unready, std::process::id().to_string()).unwrap();
        std::fs::rename(&unready, &self.0).unwrap();
        loop {
            core::hint::spin_loop();
        }
    }
}

/// Adds a line to a file.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Marks(pub(crate) String, pub(crate) u32);

impl Task for Marks {
    const NAME: &str = "marks/1";
    type Output = u32;

    fn run(self) -> u32 {
        let mut file = std::fs::File::options().append(true).open(&self.0).unwrap();
        file.write_all(format!("{}\n", self.1).as_bytes()).unwrap();
        self.1
    }
}

impl Idempotent for Marks {}

pub(crate) type Table = (Square, Pids, Abort, Endless, Marks);
