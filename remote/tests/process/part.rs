//! The parts that this program plays in a process of its own, when its first argument says so.

use core::time::Duration;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio, exit};
use std::time::Instant;

use slotted::Shutdown;
use slotted_remote::process::{Command as Workers, ProcessStartError, Processes};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::table::{Endless, Pid, Square};

/// A list of tests with their names.
pub(crate) type Tests = Vec<(&'static str, fn())>;

/// Names tests.
macro_rules! tests {
    ($($test:ident),* $(,)?) => {
        pub(crate) fn tests() -> crate::part::Tests {
            vec![$((concat!(module_path!(), "::", stringify!($test)), $test as fn())),*]
        }
    };
}
pub(crate) use tests;

/// Plays a part, if the first argument names one, and ends.
pub(crate) fn play() {
    let arguments: Vec<String> = std::env::args().collect();
    let argument = |at: usize| arguments.get(at).cloned().unwrap_or_default();
    match argument(1).as_str() {
        "part-cut-short" => cut_short(argument(2).parse().unwrap()),
        "part-no-serve" => no_serve(),
        "part-parent" => parent(&argument(2)),
        "part-limits" => limits(&argument(2)),
        "part-other-version" => other_version(),
        "part-babbles" => babbles(),
        "part-helper" => helper(&argument(2)),
        "part-restarts"
            if std::env::args()
                .next()
                .is_none_or(|name| name != "slotted-worker") =>
        {
            super::lives::restarts();
        }
        _ => return,
    }
    exit(0);
}

/// Workers that play a part.
pub(crate) fn workers(part: &str, argument: &str) -> Workers {
    Workers::current_exe().argument(part).argument(argument)
}

/// A worker that ends when it has written so many bytes of what it should.
fn cut_short(bytes: usize) {
    let input = std::io::stdin();
    let mut socket = std::fs::File::from(input.as_fd().try_clone_to_owned().unwrap());
    let mut hello = [0; 28];
    socket.read_exact(&mut hello).unwrap();
    let nonce = &hello[20..24];
    let mut welcome = vec![26, 0, 2];
    welcome.extend([0; 13]);
    welcome.extend([1, 8]);
    welcome.extend(&hello[18..20]);
    welcome.extend(nonce);
    welcome.extend([5, 0, 0, 0]);
    assert_eq!(welcome.len(), 28);
    let mut left = bytes;
    let mut write = |socket: &mut std::fs::File, what: &[u8]| {
        let len = what.len().min(left);
        let _ = socket.write_all(&what[..len]); // the parent may have gone
        left -= len;
        if left == 0 {
            exit(0);
        }
    };
    write(&mut socket, &welcome);
    loop {
        let mut length = [0; 2];
        if socket.read_exact(&mut length).is_err() {
            exit(0);
        }
        let mut call = vec![0; usize::from(u16::from_le_bytes(length))];
        socket.read_exact(&mut call).unwrap();
        // The same header, as a reply of status 0, and the number 9 as the result.
        let mut reply = vec![15, 0, 5];
        reply.extend(&call[1..10]);
        reply.extend([0, 0, 0, 0, 9]);
        write(&mut socket, &reply);
    }
}

/// A program that forgot to serve: its `main` comes to the start of the pool.
fn no_serve() {
    static POOL: Processes<2, 8, 64> = Processes::new();
    match POOL.start(&workers("part-no-serve", "")) {
        Err(ProcessStartError::InWorker) => exit(9),
        Err(ProcessStartError::Ended(status)) if status.code() == Some(9) => exit(0),
        other => panic!("{other:?}"),
    }
}

/// A parent of workers that run endless tasks, which is killed. Prints their numbers.
fn parent(folder: &str) {
    static POOL: Processes<2, 8, 512> = Processes::new();
    // Its workers come here too.
    if std::env::args()
        .next()
        .is_some_and(|name| name == "slotted-worker")
    {
        slotted_remote::process::serve::<super::table::Table>();
    }
    POOL.start(&workers("part-parent", folder)).unwrap();
    let pids = POOL.processes().map(|process| process.pid.unwrap());
    let marks = ["one", "two"].map(|name| Path::new(folder).join(name));
    let tasks = marks
        .each_ref()
        .map(|mark| Endless(mark.to_string_lossy().into_owned()));
    tasks
        .into_iter()
        .for_each(|task| POOL.submit(task).unwrap().detach());
    marks.iter().for_each(|mark| until(|| mark.exists()));
    println!("{} {}", pids[0], pids[1]);
    std::thread::park();
}

/// Starts a pool under lower limits than it needs, one after the other, until it starts.
fn limits(of: &str) {
    static POOL: Processes<2, 8, 64> = Processes::new();
    let resource = match of {
        "files" => Resource::Nofile,
        _ => Resource::Nproc,
    };
    let whole = getrlimit(resource);
    let mut refusals = 0;
    let start = |room: Option<u64>| {
        let maximum = whole.maximum;
        let current = room.or(whole.current);
        setrlimit(resource, Rlimit { current, maximum }).unwrap();
        let started = POOL.start(&Workers::current_exe());
        setrlimit(resource, whole).unwrap();
        started
    };
    for room in 0..64 {
        match start(Some(room)) {
            Ok(()) => {
                POOL.shutdown(Shutdown::Drain).unwrap();
                break;
            }
            // A worker that has started may meet the limit itself.
            Err(ProcessStartError::System(_) | ProcessStartError::Ended(_)) => refusals += 1,
            Err(error) => panic!("{error}"),
        }
        assert_eq!(children(), 0, "with room for {room} {of}");
    }
    assert!(refusals > 0);
    start(None).unwrap();
    assert_eq!(POOL.submit(Square(3)).unwrap().result(), Ok(9));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// How many processes this one has started and not waited for.
fn children() -> usize {
    let me = std::process::id().to_string();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let parent = |process: std::fs::DirEntry| {
        let stat = std::fs::read_to_string(process.path().join("stat")).ok()?;
        // After the name, which may be anything: the state, and the parent.
        let parent = stat.rsplit(')').next()?.split_whitespace().nth(1)?;
        Some(parent.to_owned())
    };
    processes
        .filter_map(parent)
        .filter(|parent| *parent == me)
        .count()
}

fn other_version() {
    let input = std::io::stdin();
    let mut socket = std::fs::File::from(input.as_fd().try_clone_to_owned().unwrap());
    let mut hello = [0; 28];
    socket.read_exact(&mut hello).unwrap();
    let mut welcome = vec![26, 0, 2];
    welcome.extend([0; 13]);
    welcome.extend([77, 8, 64, 0]);
    welcome.extend(&hello[20..24]);
    welcome.extend([5, 0, 0, 0]);
    socket.write_all(&welcome).unwrap();
    let _ = socket.read(&mut hello);
}

/// Writes what is no frame.
fn babbles() {
    let input = std::io::stdin();
    let mut socket = std::fs::File::from(input.as_fd().try_clone_to_owned().unwrap());
    socket
        .write_all(b"login: \xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
        .unwrap();
    let _ = socket.read(&mut [0; 64]);
    let _ = socket.read(&mut [0; 64]);
}

/// Starts this program in a part of its own.
pub(crate) fn start(part: &str, argument: impl AsRef<OsStr>) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .arg(part)
        .arg(argument)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The first line that a process prints.
pub(crate) fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    line
}

/// Looks until something is so: what another process does, which tells nothing.
pub(crate) fn until(mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "it never becomes so"
        );
        std::thread::yield_now();
    }
}

/// Returns true if a process is there, dead or alive.
pub(crate) fn exists(pid: u32) -> bool {
    PathBuf::from(format!("/proc/{pid}")).exists()
}

/// A task that never ends, and a wait until it runs.
pub(crate) fn endless(folder: &tempfile::TempDir, name: &str) -> (Endless, PathBuf) {
    let mark = folder.path().join(name);
    (Endless(mark.to_string_lossy().into_owned()), mark)
}

/// The numbers of the processes of a pool, as tasks that run there say.
pub(crate) fn pid<const PROCS: usize, const QUEUE: usize, const BYTES: usize>(
    pool: &'static Processes<PROCS, QUEUE, BYTES>,
) -> u32 {
    pool.submit(Pid(())).unwrap().result().unwrap()
}

/// A worker that starts a process of its own first, and notes its number.
fn helper(path: &str) {
    let start = || -> std::io::Result<()> {
        let helper = Command::new("tail").args(["-f", "/dev/null"]).spawn()?;
        let mut file = std::fs::File::options()
            .append(true)
            .create(true)
            .open(path)?;
        writeln!(file, "{}", helper.id())
    };
    slotted_remote::process::serve_with::<super::table::Table, _>(start);
}
