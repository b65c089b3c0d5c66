//! The tasks of these tests.

use std::path::PathBuf;

use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Deserializer, Serialize};
use slotted_remote::{Idempotent, Task};

macro_rules! task {
    (
        $(#[$doc:meta])* $task:ident $fields:tt, $name:literal, $output:ty, |$this:ident| $run:expr
    ) => {
        $(#[$doc])*
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        pub(crate) struct $task $fields;

        impl Task for $task {
            const NAME: &str = $name;
            type Output = $output;

            fn run(self) -> $output {
                let $this = self;
                $run
            }
        }
    };
}

task!(Square(pub(crate) u64), "square/1", u64, |this| this.0 * this.0);
task!(
    /// The number of the process that runs it.
    Pid(pub(crate) ()), "pid/1", u32, |_this| std::process::id()
);
task!(Abort(pub(crate) ()), "abort/1", (), |_this| std::process::abort());
task!(
    /// Returns the first number, or ends its process if it is the second.
    AbortsAt(pub(crate) u64, pub(crate) u64), "aborts-at/1", u64, |this| {
        if this.0 == this.1 {
            std::process::abort();
        }
        this.0
    }
);
task!(Exit(pub(crate) i32), "exit/1", (), |this| std::process::exit(this.0));
task!(Panics(pub(crate) String), "panics/1", (), |this| panic!("{}", this.0));
task!(
    /// Sends a signal to its own process.
    Signalled(pub(crate) i32), "signalled/1", (), |this| {
        let signal = Signal::from_named_raw(this.0).unwrap();
        // Again and again: a handler of the first one may return.
        loop {
            kill_process(getpid(), signal).unwrap();
        }
    }
);
task!(
    /// Creates a file, so that others know that it runs, and never ends.
    Endless(pub(crate) String), "endless/1", (), |this| {
        mark(&this.0);
        loop {
            core::hint::spin_loop();
        }
    }
);
task!(
    /// Looks until a file is there.
    AwaitsFile(pub(crate) String), "awaits-file/1", (), |this| {
        while !std::path::Path::new(&this.0).exists() {
            std::thread::yield_now();
        }
    }
);
task!(Takes(pub(crate) Vec<u8>), "takes/1", usize, |this| this.0.len());
task!(Gives(pub(crate) usize), "gives/1", Vec<u8>, |this| vec![7; this.0]);
task!(
    /// Uses memory until there is none.
    Eats(pub(crate) ()), "eats/1", usize, |_this| {
        let mut bytes = Vec::new();
        loop {
            bytes.extend_from_slice(&[1; 4096]);
            core::hint::black_box(&bytes);
        }
    }
);
task!(
    /// Adds its number of bytes to a file, and ends its process if they are fewer than wanted.
    Insists(pub(crate) String, pub(crate) u64), "insists/1", u64, |this| {
        use std::io::Write;
        let mut file = std::fs::File::options().append(true).create(true).open(&this.0).unwrap();
        file.write_all(b".").unwrap();
        let len = file.metadata().unwrap().len();
        if len < this.1 {
            std::process::abort();
        }
        len
    }
);
task!(Missing(pub(crate) ()), "missing/1", (), |_this| ());
task!(
    /// Whether the process has an end of file as its input, and only its own descriptors.
    Descriptors(pub(crate) ()), "descriptors/1", (usize, Vec<String>), |_this| {
        use std::io::Read;
        let mut input = [0; 8];
        let read = std::io::stdin().read(&mut input).unwrap();
        let open = std::fs::read_dir("/proc/self/fd").unwrap();
        let links = open.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
        let mut kinds: Vec<String> = links
            .map(|link| link.to_string_lossy().chars().take_while(|c| *c != ':').collect())
            .collect();
        kinds.sort();
        (read, kinds)
    }
);

impl Insists {
    pub(crate) fn new(path: &std::path::Path, wanted: u64) -> Self {
        Self(path.to_string_lossy().into_owned(), wanted)
    }
}

impl Idempotent for Insists {}

/// Does not decode.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Odd;

impl<'de> Deserialize<'de> for Odd {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("it is odd"))
    }
}

impl Task for Odd {
    const NAME: &str = "odd/1";
    type Output = ();

    fn run(self) {}
}

/// Says that something runs.
fn mark(path: &str) {
    std::fs::write(PathBuf::from(path), b"").unwrap();
}

pub(crate) type Table = (
    (Square, Pid, Abort, AbortsAt, Exit, Panics, Signalled),
    (
        Endless,
        AwaitsFile,
        Takes,
        Gives,
        Eats,
        Insists,
        Descriptors,
        Odd,
    ),
);
