//! A pool of processes, whose tasks wait at pipes.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use slotted::{Refusal, Shutdown};
use slotted_remote::Task;
use slotted_remote::process::{Command, Processes};
use tempfile::TempDir;

use crate::board::{Board, Job, fail, say};
use crate::differences;
use crate::play::{Holder, Player};
use crate::random;
use crate::sides::{Sides, sides};
use crate::world::{Handle, Kind, SLOTS, World};

/// A task that meets the player at two pipes, if its gate is closed.
#[derive(Serialize, Deserialize)]
pub(crate) struct Waits {
    folder: PathBuf,
    task: u32,
    gate: Option<u32>,
    ending: Ending,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Ending {
    Value,
    Error,
    Dies,
}

impl Task for Waits {
    const NAME: &str = "waits/1";
    type Output = u32;

    fn run(self) -> u32 {
        let task = self.task;
        let is_closed = |gate: u32| !self.folder.join(format!("open-{gate}")).exists();
        if self.gate.is_some_and(is_closed) {
            drop(
                File::options()
                    .write(true)
                    .open(self.folder.join(format!("begun-{task}"))),
            );
            drop(File::open(self.folder.join(format!("go-{task}"))));
        }
        match self.ending {
            Ending::Value => task,
            Ending::Error => fail(format!("boom {task}")),
            Ending::Dies => std::process::exit(3),
        }
    }
}

/// An item of a map.
#[derive(Serialize, Deserialize)]
pub(crate) struct Item(u32, bool);

impl Task for Item {
    const NAME: &str = "item/1";
    type Output = u32;

    fn run(self) -> u32 {
        if self.1 {
            fail(format!("item {}", self.0));
        }
        self.0
    }
}

pub(crate) type Table = (Waits, Item);

/// What a program has done at its pipes.
#[derive(Default)]
struct Pipes {
    folder: Option<TempDir>,
    gates: BTreeMap<u32, u32>,
    opened: BTreeSet<u32>,
    waiting: BTreeSet<u32>,
}

impl Pipes {
    fn path(&self, name: &str, number: u32) -> PathBuf {
        let folder = self.folder.as_ref().expect("the program has begun");
        folder.path().join(format!("{name}-{number}"))
    }

    fn make(&mut self, task: u32, gate: u32) {
        self.gates.insert(task, gate);
        for name in ["begun", "go"] {
            let mode = Mode::RUSR | Mode::WUSR;
            match mknodat(CWD, self.path(name, task), FileType::Fifo, mode, 0) {
                // A task that was refused had the same number.
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => panic!("no pipe: {error}"),
            }
        }
    }

    fn await_begun(&mut self, task: u32) {
        let gate = self.gates.get(&task);
        if gate.is_some_and(|gate| !self.opened.contains(gate)) {
            drop(File::open(self.path("begun", task)).unwrap());
            self.waiting.insert(task);
        }
    }

    fn open(&mut self, gate: u32) {
        self.opened.insert(gate);
        drop(File::create(self.path("open", gate)).unwrap());
        let waiting = self.waiting.iter().copied();
        let goes: Vec<u32> = waiting.filter(|task| self.gates[task] == gate).collect();
        for task in goes {
            self.waiting.remove(&task);
            drop(
                File::options()
                    .write(true)
                    .open(self.path("go", task))
                    .unwrap(),
            );
        }
    }
}

/// A pool of processes that plays programs.
pub(crate) struct Pool<const PROCS: usize> {
    processes: Processes<PROCS, SLOTS, 512>,
    pipes: Mutex<Pipes>,
    kills_cancelled: bool,
}

impl<const PROCS: usize> Pool<PROCS> {
    const fn new(kills_cancelled: bool) -> Self {
        let pipes = Pipes {
            folder: None,
            gates: BTreeMap::new(),
            opened: BTreeSet::new(),
            waiting: BTreeSet::new(),
        };
        Self {
            processes: Processes::new(),
            pipes: Mutex::new(pipes),
            kills_cancelled,
        }
    }

    fn pipes(&self) -> MutexGuard<'_, Pipes> {
        self.pipes.lock().expect("no step panicked")
    }
}

impl<const PROCS: usize> World for Pool<PROCS> {
    fn kind(&'static self) -> Kind {
        Kind::Processes
    }

    fn submit(&'static self, _board: &Arc<Board>, job: Job) -> Result<Handle, Refusal> {
        let mut pipes = self.pipes();
        if let Some(gate) = job.gate {
            pipes.make(job.task, gate);
        }
        let folder = pipes.folder.as_ref().expect("the program has begun");
        let task = Waits {
            folder: folder.path().to_owned(),
            task: job.task,
            gate: job.gate,
            ending: match (job.fails, job.dies) {
                (_, true) => Ending::Dies,
                (true, _) => Ending::Error,
                _ => Ending::Value,
            },
        };
        Ok(self.processes.submit(task)?)
    }

    fn submit_nested(&'static self, _value: u32) -> Result<Handle, Refusal> {
        unreachable!("a task of a process has no handles: it does not compile")
    }

    fn map_unstarted(&'static self, items: u32) -> u32 {
        let mut left = 0..items;
        drop(
            self.processes
                .map((&mut left).map(|number| Item(number, false))),
        );
        items - left.count() as u32
    }

    fn map(&'static self, items: Vec<(u32, bool)>, is_zero: bool, take: usize) -> Vec<String> {
        let say = |outcome: Result<u32, _>| say(outcome.as_ref().map(|value| *value));
        let tasks = items.into_iter().map(|(number, fails)| Item(number, fails));
        let map = self.processes.map(tasks);
        match is_zero {
            true => map.timeout(Duration::ZERO).take(take).map(say).collect(),
            false => map.take(take).map(say).collect(),
        }
    }

    fn begin_shutdown(&'static self, _how: Shutdown) {
        unreachable!("a pool of processes only knows shutdowns that wait")
    }

    fn shutdown(&'static self, how: Shutdown) {
        self.processes
            .shutdown(how)
            .expect("this is not the pool's thread");
    }

    fn start(&'static self) -> bool {
        *self.pipes() = Pipes {
            folder: Some(tempfile::tempdir().expect("there is a place for files")),
            ..Pipes::default()
        };
        let command = Command::current_exe().kill_cancelled(self.kills_cancelled);
        self.processes.start(&command).is_ok()
    }

    fn await_begun(&'static self, _board: &Board, task: u32) {
        self.pipes().await_begun(task);
    }

    fn open(&'static self, _board: &Board, gate: u32) {
        self.pipes().open(gate);
    }

    fn end(&'static self, _board: &Board) {
        let mut pipes = self.pipes();
        let gates: BTreeSet<u32> = pipes.gates.values().copied().collect();
        let closed = &gates - &pipes.opened;
        if self.kills_cancelled {
            // The program has cancelled what waits: no process is left at the other end.
            pipes.waiting.clear();
        }
        // First all marks: a task that begins meanwhile must find its gate open.
        for gate in &closed {
            drop(File::create(pipes.path("open", *gate)).unwrap());
        }
        for gate in closed {
            pipes.open(gate);
        }
    }

    fn slots_in_use(&'static self) -> usize {
        self.processes.stats().slots_in_use
    }
}

/// The pools of all programs, one after the other.
struct Pools {
    one: Pool<1>,
    two: Pool<2>,
    holder: Holder,
}

impl Pools {
    fn leaked(kills_cancelled: bool) -> &'static Self {
        Box::leak(Box::new(Self {
            one: Pool::new(kills_cancelled),
            two: Pool::new(kills_cancelled),
            holder: Holder::new(),
        }))
    }
}

fn play_in(pools: &'static Pools, program: &[String]) -> Vec<String> {
    match program[0].as_str() {
        "pool 1" => Player::new(&pools.one, &pools.holder).play(program),
        _ => Player::new(&pools.two, &pools.holder).play(program),
    }
}

/// Plays a program Python's way: a task that runs cannot be cancelled.
fn play(program: &[String], is_anew: bool) -> Vec<String> {
    // Tests run side by side. Each takes pools, and puts them back if all went well.
    static IDLE: Mutex<Vec<&'static Pools>> = Mutex::new(Vec::new());
    let idle = || IDLE.lock().expect("no thread panics here");
    let pools = match is_anew {
        true => None,
        false => idle().pop(),
    };
    let pools = pools.unwrap_or_else(|| Pools::leaked(false));
    let seen = play_in(pools, program);
    idle().push(pools);
    seen
}

/// Plays a program as pools do by default.
fn play_by_default(program: &[String], _is_anew: bool) -> Vec<String> {
    play_in(Pools::leaked(true), program)
}

const SCRIPT: [&str; 2] = [
    concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/differential/python.py"
    ),
    "processes",
];

fn random_programs_agree_with_python() {
    let Some(sides) = sides(SCRIPT, play) else {
        return;
    };
    random::compare(sides, Kind::Processes, 200);
}

fn check(sides: Option<Sides>, text: &str) {
    let Some(mut sides) = sides else { return };
    differences::check(&mut sides, text).unwrap();
}

fn the_documented_differences_are_there() {
    check(
        sides(SCRIPT, play_by_default),
        include_str!("differences.txt"),
    );
}

fn a_task_that_runs_cannot_be_cancelled_pythons_way() {
    let Some(mut sides) = sides(SCRIPT, play) else {
        return;
    };
    differences::compare(&mut sides, include_str!("pythons_way.txt")).unwrap();
}

pub(crate) fn tests() -> [(&'static str, fn()); 3] {
    [
        (
            "random_programs_agree_with_python",
            random_programs_agree_with_python,
        ),
        (
            "the_documented_differences_are_there",
            the_documented_differences_are_there,
        ),
        (
            "a_task_that_runs_cannot_be_cancelled_pythons_way",
            a_task_that_runs_cannot_be_cancelled_pythons_way,
        ),
    ]
}
