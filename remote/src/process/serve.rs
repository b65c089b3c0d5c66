//! The worker process: what it does instead of the program's own `main`.

use core::time::Duration;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::exit;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Signal, getpid, kill_process};

use super::command::WORKER_NAME;
use super::socket::{Incoming, Outgoing, Received};
use super::worker_process::LANES;
use crate::frame::{GREETING, Header, Hello, Kind, PROTOCOL, Status, Welcome, session};
use crate::run::{self, Runner};
use crate::task::{TaskId, Tasks};

/// The exit status of a worker whose initializer failed.
const INITIALIZER_FAILED: i32 = 70;
/// The exit status of a worker that cannot talk to its parent.
const NO_PARENT: i32 = 71;

/// Returns true in a worker process.
pub(super) fn is_worker() -> bool {
    std::env::args_os()
        .next()
        .is_some_and(|name| name == WORKER_NAME)
}

/// In a worker process, runs the tasks of the table `T` until the pool ends, and does not return.
/// In any other process, does nothing.
///
/// Must be the first line of `main`: what stands before it runs in each worker process too.
///
/// The standard input of a worker is empty. Its standard output and error are its parent's.
///
/// ```standalone_crate
/// # use serde::{Deserialize, Serialize};
/// # use slotted_remote::Task;
/// # #[derive(Serialize, Deserialize)]
/// # struct Square(u32);
/// # impl Task for Square {
/// #     const NAME: &str = "square/1";
/// #     type Output = u64;
/// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
/// # }
/// use slotted_remote::process::{Command, Processes, serve};
///
/// static POOL: Processes<1, 8, 64> = Processes::new();
///
/// fn main() {
///     serve::<(Square,)>();
///     // The program: no worker comes here.
///     let square = POOL.run(&Command::current_exe(), |pool| {
///         pool.submit(Square(7)).unwrap().result()
///     });
///     assert_eq!(square.unwrap(), Ok(49));
/// }
/// ```
pub fn serve<T: Tasks>() {
    serve_with::<T, _>(|| Ok::<(), &str>(()));
}

/// As [`serve`], and calls a function in each worker process first. If it fails, the process ends
/// and prints the error, and the pool does not start.
///
/// # Python
///
/// The `initializer`.
///
/// ```standalone_crate
/// # use serde::{Deserialize, Serialize};
/// # use slotted_remote::Task;
/// # use slotted_remote::process::{Command, Processes, serve_with};
/// # static POOL: Processes<1, 8, 64> = Processes::new();
/// use std::sync::OnceLock;
///
/// static LENGTH: OnceLock<usize> = OnceLock::new();
///
/// #[derive(Serialize, Deserialize)]
/// struct Fits(usize);
///
/// impl Task for Fits {
///     const NAME: &str = "fits/1";
///     type Output = bool;
///     fn run(self) -> bool { LENGTH.get().is_some_and(|&length| self.0 <= length) }
/// }
///
/// fn main() {
///     serve_with::<(Fits,), _>(|| {
///         LENGTH.set(80).map_err(|_| "set already")
///     });
///     assert!(LENGTH.get().is_none(), "only in the worker processes");
/// #   let fits = POOL.run(&Command::current_exe(), |pool| pool.submit(Fits(7)).unwrap().result());
/// #   assert_eq!(fits.unwrap(), Ok(true));
/// }
/// ```
pub fn serve_with<T: Tasks, E: core::fmt::Display>(initializer: impl FnOnce() -> Result<(), E>) {
    const { T::DISTINCT }
    if !is_worker() {
        return;
    }
    // First: a process that the initializer starts must not inherit the socket.
    let socket = match take_socket() {
        Ok(socket) => socket,
        Err(error) => {
            eprintln!("a worker process has no parent: {error}");
            exit(NO_PARENT);
        }
    };
    if let Err(error) = initializer() {
        eprintln!("a worker process could not start: {error}");
        exit(INITIALIZER_FAILED);
    }
    match serve_parent(socket, |id| T::find(id).or_else(|| T::find_chunk(id))) {
        Ok(()) => exit(0),
        Err(error) => {
            eprintln!("a worker process lost its parent: {error}");
            exit(NO_PARENT);
        }
    }
}

/// Takes the socket from the standard input, and leaves an empty one.
fn take_socket() -> io::Result<Arc<OwnedFd>> {
    let socket = Arc::new(io::stdin().as_fd().try_clone_to_owned()?);
    rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
    Ok(socket)
}

/// Serves the parent to its end.
fn serve_parent(socket: Arc<OwnedFd>, find: fn(TaskId) -> Option<Runner>) -> io::Result<()> {
    run::note_panics();
    watch_parent(socket.clone())?;
    let Some(mut worker) = Worker::greet(socket)? else {
        return Ok(());
    };
    // Endless for a reason: it ends with the pool.
    loop {
        if !worker.receive() {
            return Ok(());
        }
        worker.run_oldest(find)?;
    }
}

/// Ends the process when its parent is gone, also in the middle of a task.
fn watch_parent(socket: Arc<OwnedFd>) -> io::Result<()> {
    let watch = move || {
        let mut parent = [PollFd::new(&*socket, PollFlags::empty())];
        // Endless for a reason: only interruptions repeat it. A hang-up needs no flag.
        while poll(&mut parent, None) == Err(Errno::INTR) {}
        // Not `exit`: a destructor or a task may hold what that waits for.
        let _ = kill_process(getpid(), Signal::KILL);
    };
    thread::Builder::new()
        .name("slotted-parent".into())
        .stack_size(64 << 10)
        .spawn(watch)?;
    Ok(())
}

/// A call that came.
#[derive(Default)]
struct Lane {
    is_queued: bool,
    sequence: u32,
    id: u32,
    len: usize,
    /// The argument, then the result.
    bytes: Vec<u8>,
}

struct Worker {
    incoming: Incoming,
    outgoing: Outgoing,
    session: u32,
    linger: Duration,
    /// The parent's limit of a body.
    bytes: usize,
    lanes: [Lane; LANES],
}

impl Worker {
    /// Waits for the parent's greeting, and answers it. `None`: the parent is gone, or has another
    /// version.
    fn greet(socket: Arc<OwnedFd>) -> io::Result<Option<Self>> {
        let mut incoming = Incoming::new(socket.clone(), 1, GREETING);
        let mut hello = None;
        // Bound: the bytes of a greeting.
        while hello.is_none() {
            if incoming.receive(true) == Received::End {
                return Ok(None);
            }
            let is_good = incoming.frames(|header, body| {
                hello = Hello::from_bytes(body).map(|hello| (hello, linger_of(body)));
                header.kind == Kind::Hello && hello.is_some()
            });
            if !is_good {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        let Some((hello, linger)) = hello else {
            return Ok(None);
        };
        let (bytes, nonce) = (usize::from(hello.bytes), std::process::id());
        incoming.grow(LANES + 1, bytes);
        let mut worker = Self {
            incoming,
            outgoing: Outgoing::new(socket, 1, bytes.max(GREETING)),
            session: session(hello.nonce, nonce),
            linger,
            bytes,
            lanes: core::array::from_fn(|_| Lane {
                bytes: vec![0; bytes],
                ..Lane::default()
            }),
        };
        let welcome = Welcome {
            protocol: PROTOCOL,
            lanes: LANES as u8, // a small constant
            bytes: hello.bytes,
            theirs: hello.nonce,
            nonce,
        };
        let header = Header::greeting(Kind::Welcome);
        worker.outgoing.push(&header, &welcome.to_bytes());
        worker.outgoing.flush_blocking()?;
        Ok((hello.protocol == PROTOCOL).then_some(worker))
    }

    /// Takes what came. Waits if no call is there. Returns false if the parent wants no more.
    fn receive(&mut self) -> bool {
        let mut received = self.incoming.receive(false);
        if received == Received::Nothing && !self.is_busy() {
            received = self.linger();
        }
        if received == Received::Nothing && !self.is_busy() {
            received = self.incoming.receive(true);
        }
        if received == Received::End && !self.is_busy() {
            return false;
        }
        let (session, lanes) = (self.session, &mut self.lanes);
        let mut answered = [None; LANES];
        let is_good = self.incoming.frames(|header, body| {
            let Some(lane) = lanes.get_mut(usize::from(header.lane)) else {
                return false;
            };
            match header.kind {
                _ if header.session != session => return false,
                Kind::Call => {
                    let Some(bytes) = lane.bytes.get_mut(..body.len()) else {
                        return false;
                    };
                    bytes.copy_from_slice(body);
                    (lane.sequence, lane.id) = (header.sequence, header.id);
                    (lane.is_queued, lane.len) = (true, body.len());
                }
                Kind::Cancel => {
                    // A call that has ended was answered.
                    if lane.is_queued && lane.sequence == header.sequence {
                        lane.is_queued = false;
                        answered[usize::from(header.lane)] = Some(*header);
                    }
                }
                _ => return false,
            }
            true
        });
        for header in answered.into_iter().flatten() {
            if self
                .answer(header.lane, header.sequence, Status::Cancelled, 0)
                .is_err()
            {
                return false;
            }
        }
        is_good
    }

    fn is_busy(&self) -> bool {
        self.lanes.iter().any(|lane| lane.is_queued)
    }

    /// Looks for a while, before the process sleeps.
    fn linger(&mut self) -> Received {
        let began = Instant::now();
        // Bound: the time.
        while began.elapsed() < self.linger {
            thread::yield_now();
            let received = self.incoming.receive(false);
            if received != Received::Nothing {
                return received;
            }
        }
        Received::Nothing
    }

    /// Runs the call that came first, and answers it before the next begins. So the parent knows
    /// which call ran when the process dies.
    fn run_oldest(&mut self, find: fn(TaskId) -> Option<Runner>) -> io::Result<()> {
        let queued = { self.lanes.iter_mut().enumerate() }.filter(|(_, lane)| lane.is_queued);
        // Lanes are used in turn.
        let oldest = queued.min_by_key(|(number, lane)| (lane.sequence, *number));
        let Some((number, lane)) = oldest else {
            return Ok(());
        };
        lane.is_queued = false;
        let (status, len) = match find(TaskId::from_bits(lane.id)) {
            Some(run) => run(&mut lane.bytes, lane.len, self.bytes),
            None => (Status::Unknown, 0),
        };
        let sequence = lane.sequence;
        self.answer(number as u8, sequence, status, len) // a small constant
    }

    fn answer(&mut self, lane: u8, sequence: u32, status: Status, len: usize) -> io::Result<()> {
        let header = Header {
            kind: Kind::Reply,
            lane,
            session: self.session,
            sequence,
            id: status as u32,
        };
        self.outgoing
            .push(&header, &self.lanes[usize::from(lane)].bytes[..len]);
        self.outgoing.flush_blocking()
    }
}

/// How long the parent wants its workers to linger: microseconds behind the greeting proper.
fn linger_of(body: &[u8]) -> Duration {
    match *body {
        [_, _, _, _, _, _, _, _, low, high, ..] => {
            Duration::from_micros(u16::from_le_bytes([low, high]).into())
        }
        _ => Duration::ZERO,
    }
}
