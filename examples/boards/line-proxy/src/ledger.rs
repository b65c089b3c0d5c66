//! What the boards say: which tasks ran, which calls ended how.

use std::collections::{HashMap, HashSet};

use crate::board::Role;

/// A task: the submitter's boot and the number of the call.
type Task = (u32, u32);

/// The last line of the submitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) boot: u32,
    pub(crate) right: u32,
    pub(crate) wrong: u32,
    pub(crate) restarted: u32,
    /// What the worker counted since its boot.
    pub(crate) ran: u32,
    /// Frames that the submitter dropped.
    pub(crate) dropped: u32,
    pub(crate) milliseconds: u32,
    /// The interrupts of the submitter's clock.
    pub(crate) alarms: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    ran: HashMap<Task, u32>,
    /// How many tasks ran in each life of the worker.
    lives: HashMap<u32, u32>,
    restarted: HashSet<Task>,
    pub(crate) report: Option<Report>,
}

impl Ledger {
    /// Takes a line that a board printed. Returns false if no board prints such a line.
    pub(crate) fn enter(&mut self, role: Role, boot: u32, line: &str) -> bool {
        let words: Vec<&str> = line.split(' ').collect();
        let numbers: Vec<u32> = words.iter().filter_map(|word| word.parse().ok()).collect();
        match (role, words[0], &numbers[..]) {
            (Role::Worker, "ran", &[submitter, number]) => {
                *self.ran.entry((submitter, number)).or_default() += 1;
                *self.lives.entry(boot).or_default() += 1;
            }
            (Role::Submitter, "restarted", &[submitter, number]) => {
                self.restarted.insert((submitter, number));
            }
            (
                Role::Submitter,
                "done",
                &[right, wrong, restarted, ran, dropped, milliseconds, alarms],
            ) => {
                self.report = Some(Report {
                    boot,
                    right,
                    wrong,
                    restarted,
                    ran,
                    dropped,
                    milliseconds,
                    alarms,
                });
            }
            _ => return false,
        }
        true
    }

    /// How many tasks ran, whatever became of their calls.
    pub(crate) fn tasks(&self) -> usize {
        self.ran.len()
    }

    /// How many tasks ran in a life of the worker.
    pub(crate) fn tasks_of(&self, worker: u32) -> u32 {
        self.lives.get(&worker).copied().unwrap_or(0)
    }

    pub(crate) fn ran_twice(&self) -> usize {
        self.ran.values().filter(|&&times| times > 1).count()
    }

    /// How many of the calls that ended as restarted ran nevertheless.
    pub(crate) fn restarted_but_ran(&self) -> usize {
        { self.restarted.iter() }
            .filter(|task| self.ran.contains_key(task))
            .count()
    }

    /// How many calls of a life returned a result.
    pub(crate) fn returned(&self, boot: u32, calls: u32) -> impl Iterator<Item = Task> {
        let numbers = (0..calls).map(move |number| (boot, number));
        numbers.filter(|task| !self.restarted.contains(task))
    }

    pub(crate) fn has_run(&self, task: Task) -> bool {
        self.ran.contains_key(&task)
    }
}
