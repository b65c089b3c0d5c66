//! How worker processes are started, and what they may use.

use core::time::Duration;
use std::ffi::OsString;
use std::path::PathBuf;

/// The first argument of a worker process, by which it knows itself.
pub(super) const WORKER_NAME: &str = "slotted-worker";

/// How worker processes are started, and what they may use.
///
/// # Python
///
/// The arguments of `ProcessPoolExecutor`, but for their number.
///
/// ```
/// use core::time::Duration;
/// use slotted_remote::process::Command;
///
/// let command = Command::current_exe()
///     .memory(512 << 20)
///     .time_limit(Duration::from_secs(10))
///     .tasks_per_process(1000);
/// # let _ = command;
/// ```
#[derive(Clone, Debug)]
pub struct Command {
    /// `None`: the running program.
    pub(super) program: Option<PathBuf>,
    pub(super) arguments: Vec<OsString>,
    pub(super) memory: Option<u64>,
    pub(super) time_limit: Option<Duration>,
    pub(super) tasks_per_process: Option<u64>,
    pub(super) kills_cancelled: bool,
    pub(super) start_timeout: Duration,
    pub(super) grace: Duration,
    pub(super) linger: Duration,
}

impl Command {
    /// Workers are processes of the running program, which calls [`serve`](super::serve) first.
    ///
    /// ```
    /// # use slotted_remote::process::Command;
    /// let command = Command::current_exe();
    /// # let _ = command;
    /// ```
    #[must_use]
    pub fn current_exe() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            program: None,
            arguments: Vec::new(),
            memory: None,
            time_limit: None,
            tasks_per_process: None,
            kills_cancelled: true,
            start_timeout: Duration::from_secs(10),
            grace: Duration::from_secs(1),
            // With one processor, the thread that looks keeps the other end from its answer.
            linger: Duration::from_micros(if processors > 1 { 50 } else { 0 }),
        }
    }

    /// Workers are processes of another program, which calls [`serve`](super::serve) with a table
    /// that has the tasks.
    ///
    /// ```
    /// # use slotted_remote::process::Command;
    /// let command = Command::program("/usr/lib/thumbnailer/worker");
    /// # let _ = command;
    /// ```
    #[must_use]
    pub fn program(path: impl Into<PathBuf>) -> Self {
        Self {
            program: Some(path.into()),
            ..Self::current_exe()
        }
    }

    /// Adds an argument of the program: `env::args().nth(1)` there, for the first.
    ///
    /// ```
    /// # use slotted_remote::process::Command;
    /// let command = Command::program("worker").argument("--quiet");
    /// # let _ = command;
    /// ```
    #[must_use]
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Limits the memory of each process: its heap, its stacks and what it maps to write to
    /// (`RLIMIT_DATA`). An allocation beyond it fails, which ends a Rust program. The task's error
    /// is then [`MemoryLimit`](crate::RemoteError::MemoryLimit), as far as it can be told.
    ///
    /// ```
    /// # use slotted_remote::process::Command;
    /// let command = Command::current_exe().memory(512 << 20); // 512 MiB each
    /// # let _ = command;
    /// ```
    #[must_use]
    pub fn memory(self, bytes: u64) -> Self {
        Self {
            memory: Some(bytes),
            ..self
        }
    }

    /// Limits the time of each task, from when it begins. A process whose task takes longer is
    /// killed, and the task ends as [`TimeLimit`](crate::RemoteError::TimeLimit). See
    /// [`submit_within`](super::Processes::submit_within) for a limit of one task.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted_remote::process::Command;
    /// let command = Command::current_exe().time_limit(Duration::from_secs(10));
    /// # let _ = command;
    /// ```
    #[must_use]
    pub fn time_limit(self, limit: Duration) -> Self {
        Self {
            time_limit: Some(limit),
            ..self
        }
    }

    /// A process is replaced when it has run so many tasks: for code that leaks.
    ///
    /// # Panics
    ///
    /// If `count` is 0.
    ///
    /// # Python
    ///
    /// `max_tasks_per_child`.
    ///
    /// ```
    /// # use slotted_remote::process::Command;
    /// let command = Command::current_exe().tasks_per_process(1000);
    /// # let _ = command;
    /// ```
    #[must_use]
    pub fn tasks_per_process(self, count: u64) -> Self {
        assert!(count > 0, "a process runs at least one task");
        Self {
            tasks_per_process: Some(count),
            ..self
        }
    }

    /// If true, the default, cancelling a task that runs kills its process. If false, such a task
    /// cannot be cancelled, as in Python: `cancel` returns false, and the result comes.
    ///
    /// A task then counts as running from when it is sent to a process, which may still have others
    /// before it: up to seven if tasks are short, and none otherwise. If that process crashes
    /// before the task has begun, it waits for another and still cannot be cancelled. A
    /// [`Stop`](slotted::Shutdown::Stop) ends it, and so does a time limit.
    ///
    /// # Python
    ///
    /// `false` is what Python does. There, one task more than there are processes counts as
    /// running.
    ///
    /// ```
    /// # use slotted_remote::process::Command;
    /// let as_in_python = Command::current_exe().kill_cancelled(false);
    /// # let _ = as_in_python;
    /// ```
    #[must_use]
    pub fn kill_cancelled(self, kill: bool) -> Self {
        Self {
            kills_cancelled: kill,
            ..self
        }
    }

    /// How long `start` waits for the processes to say that they serve: 10 s by default.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted_remote::process::Command;
    /// // Its initializer loads a model.
    /// let command = Command::current_exe().start_timeout(Duration::from_secs(60));
    /// # let _ = command;
    /// ```
    #[must_use]
    pub fn start_timeout(self, timeout: Duration) -> Self {
        Self {
            start_timeout: timeout,
            ..self
        }
    }

    /// How long `shutdown` waits for idle processes to leave before it kills them: 1 s by default.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted_remote::process::Command;
    /// let command = Command::current_exe().grace(Duration::from_millis(100));
    /// # let _ = command;
    /// ```
    #[must_use]
    pub fn grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// How long both ends look for the next frame before they sleep in the kernel: 50 µs by
    /// default, and not at all with one processor. It halves a round trip, and burns the processor
    /// for that long.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted_remote::process::Command;
    /// let sleeps_at_once = Command::current_exe().linger(Duration::ZERO);
    /// # let _ = sleeps_at_once;
    /// ```
    #[must_use]
    pub fn linger(self, linger: Duration) -> Self {
        Self { linger, ..self }
    }
}
