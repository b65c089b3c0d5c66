//! Plays programs through slotted, and tells what they see. The other player of the same programs
//! is `python.py`.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use slotted::{
    Canceller, Executor, Panic, Promise, ReturnWhen, Shutdown, TaskError, as_completed,
    as_completed_timeout, wait, wait_timeout,
};

use crate::board::{Board, Job, fail, say, say_error};
use crate::table::{Table, named};
use crate::world::{Handle, SLOTS, World};

/// Promises belong to an executor of their own: in Python no shutdown ends them.
pub(crate) type Holder = Executor<0, SLOTS>;

/// Plays one program.
pub(crate) struct Player<W: World> {
    world: &'static W,
    holder: &'static Holder,
    board: Arc<Board>,
    promises: Promises,
    table: Table,
}

/// What steps use that need no handle: the promises, with the tokens that cancel their tasks.
type Promises = BTreeMap<u32, (Promise<'static, u32>, Canceller<'static>)>;

/// The number that a word is.
pub(crate) fn number(word: &str) -> u32 {
    word.parse().expect("a number")
}

fn return_when(word: &str) -> ReturnWhen {
    match word {
        "first-completed" => ReturnWhen::FirstCompleted,
        "first-error" => ReturnWhen::FirstError,
        _ => ReturnWhen::AllCompleted,
    }
}

/// How long a wait lasts that must not end by itself, or the length of a `short` one.
fn duration(patience: &str) -> Duration {
    match patience {
        "zero" => Duration::ZERO,
        _ => Duration::from_millis(50),
    }
}

impl<W: World> Player<W> {
    pub(crate) fn new(world: &'static W, holder: &'static Holder) -> Self {
        Self {
            world,
            holder,
            board: Arc::default(),
            promises: BTreeMap::new(),
            table: Table::default(),
        }
    }

    /// Plays a program, and returns a line for each of its lines.
    pub(crate) fn play(mut self, lines: &[String]) -> Vec<String> {
        assert!(self.world.start(), "the executor is idle");
        let seen = lines.iter().map(|line| self.line(line)).collect();
        drop(self.table);
        drop(self.promises);
        let slots = (self.world.slots_in_use(), self.holder.stats().slots_in_use);
        assert_eq!(slots, (0, 0), "slots are lost");
        seen
    }

    fn line(&mut self, line: &str) -> String {
        let line = line.split_once(" ! ").map_or(line, |(line, _)| line);
        if let Some(both) = line.strip_prefix("while ") {
            let (action, wait) = both.split_once(" || ").expect("two steps");
            return self.both(action, wait);
        }
        let words: Vec<&str> = line.split(' ').collect();
        let seen = match words[0] {
            "pool" => "made".to_owned(),
            "submit" if words[2] == "nested" => {
                let handle = self.world.submit_nested(number(words[1]));
                self.table
                    .keep(number(words[1]), handle.expect("there is room"));
                "submitted".to_owned()
            }
            "submit" => self.submit(number(words[1]), words[2], words[3]),
            "promise" => {
                let task = number(words[1]);
                let (promise, handle) = self.holder.promise().expect("there is room");
                self.promises.insert(task, (promise, handle.canceller()));
                self.table.keep(task, handle);
                "promised".to_owned()
            }
            "callback" => self.callback(number(words[1]), number(words[2]), words[3]),
            "map" => self.map(words[1], &words[2..]),
            "map-unstarted" => {
                assert_eq!(self.world.map_unstarted(1), 0, "the map takes no item");
                "dropped".to_owned()
            }
            "map-begun" => {
                format!("taken {}", self.world.map_unstarted(number(words[1])))
            }
            "start" => self.world.start().to_string(),
            "settle" => {
                self.settle(&words[2..]);
                self.board.events(words[1])
            }
            "end" => {
                self.table.iterator = None;
                self.world.end(&self.board);
                self.world.shutdown(Shutdown::Drain);
                self.board.events("sorted")
            }
            "open" | "set-result" | "set-exception" | "set-running" | "abandon" => {
                act(self.world, &self.board, &self.promises, &words)
            }
            _ => self.table.ask(self.world, &words),
        };
        self.table.name(self.world.kind());
        seen
    }

    /// Takes the second step in a thread of its own, and the first one beside it.
    fn both(&mut self, action: &str, wait: &str) -> String {
        let wait: Vec<&str> = wait.split(' ').collect();
        let action: Vec<&str> = action.split(' ').collect();
        let (world, table) = (self.world, &mut self.table);
        thread::scope(|scope| {
            let waiter = scope.spawn(move || table.ask(world, &wait));
            let acted = act(world, &self.board, &self.promises, &action);
            format!("{acted} | {}", waiter.join().expect("it waits and returns"))
        })
    }

    fn submit(&mut self, task: u32, ending: &str, gate: &str) -> String {
        let job = Job {
            task,
            fails: ending == "error",
            dies: ending == "dies",
            gate: gate.parse().ok(),
        };
        match self.world.submit(&self.board, job) {
            Ok(handle) => {
                self.table.keep(task, handle);
                "submitted".to_owned()
            }
            Err(slotted::Refusal::ShutDown) => "refused".to_owned(),
            Err(reason) => format!("refused: {reason:?}"),
        }
    }

    fn callback(&mut self, task: u32, name: u32, habit: &str) -> String {
        let board = Arc::clone(&self.board);
        let raises = habit == "raises";
        let gate: Option<u32> = habit.strip_prefix("gate-").map(number);
        let call = move |outcome: Result<&u32, &TaskError>| {
            if gate.is_some() {
                board.wait_for_gate(1000 + task, gate);
            }
            board.called(task, name, &say(outcome.copied()));
            if raises {
                fail("a callback raises".to_owned());
            }
        };
        *self.table.callbacks.entry(task).or_default() += 1;
        match self.table.handles[&task].add_done_callback(call) {
            Ok(()) => "added".to_owned(),
            Err(refused) => format!("refused: {:?}", refused.reason()),
        }
    }

    fn map(&mut self, patience: &str, words: &[&str]) -> String {
        let items = (0..)
            .zip(&words[1..])
            .map(|(number, word)| (number, *word == "e"));
        let take = number(words[0]) as usize;
        let seen = self.world.map(items.collect(), patience == "zero", take);
        match seen.is_empty() {
            true => "nothing".to_owned(),
            false => seen.join(", "),
        }
    }

    /// Waits until the pool has come as far as the program says.
    fn settle(&mut self, changes: &[&str]) {
        for change in changes {
            let (kind, task) = change.split_at(1);
            let task = number(task);
            match kind {
                "b" => self.world.await_begun(&self.board, task),
                "e" => match self.table.handles.get_mut(&task) {
                    // The callbacks have run when the outcome can be seen.
                    Some(handle) => drop(handle.wait()),
                    None => {
                        let added = self.table.callbacks.get(&task).copied();
                        self.board.await_called(task, added.unwrap_or_default());
                    }
                },
                // For slotted a cancelled task was done at once.
                _ => assert!(self.table.is_cancelled(task), "task {task} is cancelled"),
            }
        }
    }
}

/// A step that others may wait for. It uses no handle.
fn act<W: World>(world: &'static W, board: &Board, promises: &Promises, words: &[&str]) -> String {
    let of = number(words[1]);
    let set = |is_set: bool| if is_set { "set" } else { "invalid" }.to_owned();
    match words[0] {
        "open" => {
            world.open(board, of);
            "opened".to_owned()
        }
        "set-result" => set(promises[&of].0.set_result(of).is_ok()),
        "set-exception" => {
            let error = TaskError::Panicked(Panic::with_message(&format!("broken {of}")));
            set(promises[&of].0.set_error(error).is_ok())
        }
        "abandon" => {
            let cancelled = promises[&of].1.cancel();
            format!("{cancelled} {}", set_running(&promises[&of].0))
        }
        _ => set_running(&promises[&of].0),
    }
}

fn set_running(promise: &Promise<'static, u32>) -> String {
    match promise.set_running_or_notify_cancel() {
        Ok(is_running) => is_running.to_string(),
        Err(_invalid) => "invalid".to_owned(),
    }
}

impl Table {
    /// A step that asks handles, and may wait for them.
    pub(crate) fn ask<W: World>(&mut self, world: &'static W, words: &[&str]) -> String {
        let task = words.get(1).and_then(|word| word.parse().ok());
        match (words[0], task) {
            ("shutdown", _) => {
                let how = match words[2] {
                    "cancel" => Shutdown::Cancel,
                    _ => Shutdown::Drain,
                };
                match words[1] {
                    "wait" => world.shutdown(how),
                    _ => world.begin_shutdown(how),
                }
                "shut down".to_owned()
            }
            ("wait", _) => self.wait(return_when(words[1]), words[2], &words[3..]),
            ("completed", _) => self.completed(words[1], &words[2..]),
            ("iterate", _) => {
                let handles = self.take(&words[2..]);
                self.held = words[2..].iter().map(|task| number(task)).collect();
                self.iterator = Some(as_completed(handles));
                self.next(number(words[1]), "sorted")
            }
            ("next", Some(count)) => self.next(count, words[2]),
            ("late", _) => self.late(&words[1..]),
            ("leave", _) => {
                let iterator = self.iterator.take().expect("there is one");
                self.unnamed.extend(iterator.into_handles());
                self.held.clear();
                "left".to_owned()
            }
            ("cancel", Some(task)) => match self.handles.get(&task) {
                Some(handle) => handle.cancel().to_string(),
                None => self.cancellers[&task].cancel().to_string(),
            },
            ("drop", Some(task)) => {
                self.handles.remove(&task);
                "dropped".to_owned()
            }
            ("result", Some(task)) if words[2] == "endless" => {
                let handle = self.handles.remove(&task).expect("there is a handle");
                say(handle.result().as_ref().map(|value| *value))
            }
            (_, Some(task)) => {
                let handle = self.handles.get_mut(&task).expect("there is a handle");
                let said = look(handle, words);
                if words[0] == "result" {
                    self.note_taken(task, &said);
                }
                said
            }
            _ => format!("no such step: {words:?}"),
        }
    }

    fn wait(&mut self, when: ReturnWhen, patience: &str, tasks: &[&str]) -> String {
        let mut handles = self.take(tasks);
        let waited = match patience {
            "endless" => wait(&mut handles, when),
            _ => wait_timeout(&mut handles, duration(patience), when),
        };
        let done = waited.done.len();
        let rest = handles.split_off(done);
        let of_done = self.put_back_done(handles);
        let tasks: BTreeSet<u32> = tasks.iter().map(|task| number(task)).collect();
        let of_rest = &tasks - &of_done;
        self.unnamed.extend(rest);
        named("done", &of_done) + &named(" not", &of_rest)
    }

    fn completed(&mut self, patience: &str, tasks: &[&str]) -> String {
        let handles = self.take(tasks);
        if patience == "endless" {
            let yielded = as_completed(handles).collect();
            return named("yielded", &self.put_back_done(yielded));
        }
        let mut yielded = Vec::new();
        let mut late = String::new();
        for each in as_completed_timeout(handles, duration(patience)) {
            match each {
                Ok(handle) => yielded.push(handle),
                Err(timeout) => {
                    let (left, total) = (timeout.unfinished(), timeout.total());
                    late = format!(" timeout {left} of {total}");
                    self.unnamed.extend(timeout.into_handles());
                }
            }
        }
        named("yielded", &self.put_back_done(yielded)) + &late
    }

    /// Is late for the first `next` of an `as_completed` with a time limit of a second. A wait for
    /// the second task, which is pending, takes that long.
    fn late(&mut self, tasks: &[&str]) -> String {
        let second = Duration::from_secs(1);
        let handles = self.take(&tasks[..1]);
        let mut completed = as_completed_timeout(handles, second);
        let pending = self
            .handles
            .get_mut(&number(tasks[1]))
            .expect("there is a handle");
        assert!(pending.wait_timeout(second).is_err());
        let began = Instant::now();
        let Some(Err(timeout)) = completed.next() else {
            return "no timeout".to_owned();
        };
        let waited = began.elapsed() >= second;
        self.unnamed.extend(timeout.into_handles());
        let waited = if waited { "after a second" } else { "at once" };
        format!("timeout {waited}")
    }

    fn next(&mut self, count: u32, order: &str) -> String {
        let mut yielded = Vec::new();
        for _ in 0..count {
            let Some(handle) = self.iterator.as_mut().and_then(Iterator::next) else {
                self.iterator = None;
                return "end".to_owned();
            };
            self.yields = true;
            yielded.extend(self.put_back_done(vec![handle]));
            self.yields = false;
        }
        if order == "sorted" {
            yielded.sort_unstable();
        }
        yielded
            .iter()
            .fold("yielded".to_owned(), |said, task| format!("{said} {task}"))
    }
}

/// A step that asks one handle.
fn look(handle: &mut Handle, words: &[&str]) -> String {
    let patience = words.get(2).copied().unwrap_or_default();
    match (words[0], patience) {
        ("over", _) => match (handle.done(), handle.cancelled()) {
            (_, true) => "cancelled".to_owned(),
            (is_done, false) => is_done.to_string(),
        },
        ("state", _) => {
            let told = [
                ("running", handle.running()),
                ("done", handle.done()),
                ("cancelled", handle.cancelled()),
            ];
            let told = told.iter().filter(|(_, is_so)| *is_so);
            let words: Vec<&str> = told.map(|(word, _)| *word).collect();
            match words.is_empty() {
                true => "pending".to_owned(),
                false => words.join(" "),
            }
        }
        ("result", _) => say(handle
            .result_timeout(duration(patience))
            .as_ref()
            .map(|of| *of)),
        ("peek", "endless") => say(handle.wait().copied()),
        ("peek", _) => say(handle.wait_timeout(duration(patience)).copied()),
        ("exception", "endless") => say_error(handle.error()),
        ("exception", _) => say_error(handle.error_timeout(duration(patience))),
        _ => format!("no such step: {words:?}"),
    }
}
