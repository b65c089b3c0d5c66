//! A step that waits beside another one: what it sees must not depend on when it begins.

use crate::plan::{After, Plan, Taken};
use crate::program::{Step, When};
use crate::state::{Changes, Phase, State};

impl Plan {
    /// A step, and another step that waits for it in a thread of its own.
    pub(crate) fn take_both(&mut self, action: &Step, wait: &Step) -> Option<Taken> {
        let before = self.state.clone();
        let acted = self.act(action)?;
        // The state that the waiter meets at last.
        let changes = self.state.settle();
        let waited = match wait {
            Step::Shutdown { .. } => {
                if before.is_shut || !self.state.running.is_empty() {
                    return None;
                }
                self.state.is_shut = true;
                "shutdown wait drain".to_owned()
            }
            Step::Wait(mask, when, _) => {
                let tasks = self.choose_handles(*mask);
                self.is_seen_by_all(&before, &tasks, *when, &changes)?;
                self.ask(wait)?
            }
            Step::Completed(mask, _) => {
                let tasks = self.choose_handles(*mask);
                if tasks.iter().any(|task| before.tasks[*task].is_stale()) {
                    return None;
                }
                self.ask(wait)?
            }
            _ => self.ask(wait)?,
        };
        if waited.contains(" ! ") {
            return None; // a rule is for a line with one answer
        }
        Some(Taken {
            line: format!("while {acted} || {waited}"),
            after: After::Settled(changes),
        })
    }

    /// Returns `None` if what a wait sees depends on when it begins. It began before the action, or
    /// after it, or anywhere between.
    fn is_seen_by_all(
        &self,
        before: &State,
        tasks: &[usize],
        when: When,
        changes: &Changes,
    ) -> Option<()> {
        let was = |task: &usize| &before.tasks[*task];
        let is_new = |task: &usize| !was(task).is_done() && self.task(*task).is_done();
        let new: Vec<usize> = tasks.iter().copied().filter(is_new).collect();
        let fails = |task: &usize| self.task(*task).phase == Phase::Error;
        if tasks.iter().any(|task| was(task).is_stale()) {
            return None;
        }
        let is_determined = match when {
            When::AllCompleted => true,
            When::FirstCompleted => {
                new.len() <= 1 && (new.is_empty() || !tasks.iter().any(|task| was(task).is_done()))
            }
            When::FirstError => {
                let failed_before = tasks.iter().any(|task| was(task).is_done() && fails(task));
                // In the order in which the only worker ends them.
                let mut in_order = changes.ended.iter().filter(|task| new.contains(*task));
                let is_last = in_order
                    .position(fails)
                    .is_some_and(|at| at + 1 == new.len());
                match new.len() {
                    0 => true,
                    1 => !failed_before,
                    _ if new.iter().any(fails) => {
                        !failed_before && self.state.workers == 1 && is_last
                    }
                    _ => !failed_before,
                }
            }
        };
        is_determined.then_some(())
    }
}
