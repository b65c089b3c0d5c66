//! A node that is a program of its own, so that it can be killed, stopped and cut off.

use core::time::Duration;
use std::io::Read;
use std::net::TcpListener;
use std::process::{Child, Command as Program, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use slotted_remote::nodes::NodeOptions;
use slotted_remote::process::{Command, Processes};
use slotted_zenoh::Config;

/// The first argument of a node.
const NODE: &str = "a-node-of-these-tests";

/// Calls under way to each node.
pub(crate) const CREDITS: u8 = 3;

static WORKERS: Processes<2, 16, 256> = Processes::new();

/// In a node, serves until the standard input ends.
pub(crate) fn play() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, role, pool, endpoint] = &arguments[..] else {
        return;
    };
    if role != NODE {
        return;
    }
    WORKERS.start(&Command::current_exe()).unwrap();
    let options = NodeOptions::new().credits(CREDITS);
    let node = slotted_zenoh::serve(&WORKERS, pool, connecting_to(endpoint), options).unwrap();
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    drop(node);
    WORKERS.shutdown(slotted::Shutdown::Stop).unwrap();
    std::process::exit(0);
}

/// A port that is not in use.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Lost ends are told after a second.
fn with_a_short_lease(mut config: Config) -> Config {
    config
        .insert_json5("transport/link/tx/lease", "1000")
        .unwrap();
    config
}

pub(crate) fn listening_at(endpoint: &str) -> Config {
    with_a_short_lease(slotted_zenoh::peer(&[endpoint], &[]).unwrap())
}

fn connecting_to(endpoint: &str) -> Config {
    let mut config = with_a_short_lease(slotted_zenoh::peer(&[], &[endpoint]).unwrap());
    let retry = "{ period_init_ms: 50, period_max_ms: 100, period_increase_factor: 2 }";
    config.insert_json5("connect/retry", retry).unwrap();
    config
}

/// A node that runs.
pub(crate) struct Peer(Child);

impl Peer {
    /// Starts a node of a pool, which connects to an endpoint.
    pub(crate) fn start(pool: &str, endpoint: &str) -> Self {
        let mut program = Program::new(std::env::current_exe().unwrap());
        program.args([NODE, pool, endpoint]).stdin(Stdio::piped());
        Self(program.spawn().unwrap())
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.0.id().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Kills it, and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Asks it to leave, and waits until it has.
    pub(crate) fn leave(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // A test that failed leaves no node. One that ended is waited for already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns true if a process runs: it is there, and not a zombie.
pub(crate) fn runs(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    state.is_some_and(|state| state != 'Z')
}

/// Waits until something is so, and fails if it never is.
pub(crate) fn until(mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "it never came");
        std::thread::yield_now();
    }
}
