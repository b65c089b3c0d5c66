//! The outer world's part in a life cycle: what it does with the task at each stage.

use core::future::Future;
use core::ops::{Deref, DerefMut};
use core::pin::Pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use std::panic::panic_any;
use std::sync::{Arc, Mutex};
use std::task::Wake;

use slotted::{CancelOnDrop, Canceller, JoinHandle, Stats, TaskError, TaskState};

use crate::case::{Cancel, Case, Fate, Item, Outcome, Through, Wait, When};
use crate::foreign::lock;
use crate::ledger::{Ledger, Payload, Tracked, drop_ours};

pub(crate) type Handle = JoinHandle<'static, Tracked>;

/// Counts the wakes of a waiter that awaits.
#[derive(Default)]
pub(crate) struct CountWakes(pub(crate) AtomicUsize);

impl Wake for CountWakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

pub(crate) enum Held {
    Plain(Handle),
    Cancelling(CancelOnDrop<'static, Tracked>),
}

impl Deref for Held {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        match self {
            Self::Plain(handle) => handle,
            Self::Cancelling(handle) => handle,
        }
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut Handle {
        match self {
            Self::Plain(handle) => handle,
            Self::Cancelling(handle) => handle,
        }
    }
}

/// What the test and the task share: the case, and the outer world's part in it.
pub(crate) struct Script {
    pub(crate) case: Case,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) stats: Box<dyn Fn() -> Stats + Send + Sync>,
    /// What the outer world holds.
    pub(crate) outside: Mutex<Outside>,
    /// The future's waker, once it was polled.
    pub(crate) waker: Mutex<Option<Waker>>,
    /// The outcomes that callbacks, waiters and takers saw, in this order.
    pub(crate) seen: Mutex<Vec<Outcome>>,
    /// The waker of the waiter that awaits.
    pub(crate) wakes: Arc<CountWakes>,
}

#[derive(Default)]
pub(crate) struct Outside {
    pub(crate) handle: Option<Held>,
    pub(crate) canceller: Option<Canceller<'static>>,
    pub(crate) promise_is_there: bool,
}

impl Script {
    pub(crate) fn track(&self, item: Item) -> Tracked {
        self.ledger.made[item as usize].fetch_add(1, Ordering::SeqCst);
        Tracked {
            ledger: Arc::clone(&self.ledger),
            item,
            drop_panics: self.case.drop_panics == Some(item),
        }
    }

    pub(crate) fn throw(&self) -> ! {
        panic_any(Payload {
            _tracked: self.track(Item::Payload),
        })
    }

    pub(crate) fn see(&self, outcome: Outcome) {
        assert_eq!(outcome, self.case.outcome());
        lock(&self.seen).push(outcome);
    }

    /// Does everything that the outer world does with the task at one stage.
    pub(crate) fn act(self: &Arc<Self>, when: When) {
        let mut outside = lock(&self.outside);
        let outside = &mut *outside;
        self.wait(outside, when);
        self.check(outside, when, when == When::Ended);
        self.cancel(outside, when);
        self.check(
            outside,
            when,
            self.case.ended_by(when) && self.case.cancel.when() == Some(when)
                || when == When::Ended,
        );
        if self.case.fate.when() == when {
            self.let_go(outside);
        }
        self.check(outside, when, self.case.ended_by(when));
    }

    /// Returns true if a handle or a promise pins the slot.
    fn is_pinned(&self, outside: &Outside) -> bool {
        outside.handle.is_some()
            || outside.promise_is_there
            || (self.case.fate == Fate::Forgotten && outside.handle.is_none())
    }

    /// Checks the truth table of the states, and the slots in use.
    pub(crate) fn check(&self, outside: &Outside, when: When, ended: bool) {
        let outcome = self.case.outcome();
        let expected = match (ended, when) {
            (true, _) if outcome == Outcome::Cancelled => TaskState::Cancelled,
            (true, _) => TaskState::Finished,
            (false, When::Running) => TaskState::Running,
            (false, _) => TaskState::Pending,
        };
        if let Some(handle) = &outside.handle {
            let state = (handle.cancelled(), handle.running(), handle.done());
            let truth = match expected {
                TaskState::Cancelled => (true, false, true),
                TaskState::Finished => (false, false, true),
                TaskState::Running => (false, true, false),
                _ => (false, false, false),
            };
            assert_eq!(state, truth, "(cancelled, running, done) at {when:?}");
        }
        let pinned = self.is_pinned(outside);
        let gone = ended && !pinned;
        let Some(canceller) = outside.canceller else {
            return;
        };
        assert_eq!(
            canceller.state(),
            if gone { TaskState::Gone } else { expected },
            "at {when:?}"
        );
        let waiting_callback = self.case.wait == Wait::Callback && !ended;
        let slots = usize::from(!gone) + usize::from(waiting_callback);
        assert_eq!(
            (self.stats)().slots_in_use,
            slots,
            "slots in use at {when:?}"
        );
        if ended {
            assert_eq!(
                self.ledger.alive(Item::Capture),
                0,
                "an ended task has no closure"
            );
        }
    }

    /// Looks at the task in the way of the case's waiter, without blocking.
    pub(crate) fn wait(self: &Arc<Self>, outside: &mut Outside, when: When) {
        let Some(handle) = &mut outside.handle else {
            return;
        };
        match self.case.wait {
            Wait::TryResult if when != When::Ended => {
                assert_eq!(
                    handle.try_result().map(|taken| Outcome::of(taken.as_ref())),
                    None,
                    "nothing yet at {when:?}"
                );
            }
            Wait::Await if when != When::Ended => {
                let waker = Waker::from(Arc::clone(&self.wakes));
                let polled = Pin::new(&mut **handle).poll(&mut Context::from_waker(&waker));
                assert!(polled.is_pending(), "nothing yet at {when:?}");
            }
            Wait::Callback if when == When::BeforeStart => self.add_callback(handle),
            Wait::LateCallback if when == When::Ended => {
                self.add_callback(handle);
                assert_eq!(lock(&self.seen).len(), 1, "a late callback runs at once");
            }
            _ => {}
        }
    }

    fn add_callback(self: &Arc<Self>, handle: &Handle) {
        let (script, capture, canceller) = (
            Arc::clone(self),
            self.track(Item::Callback),
            handle.canceller(),
        );
        let added = handle.add_done_callback(move |outcome| {
            script.see(Outcome::of(outcome));
            let cancelled = script.case.outcome() == Outcome::Cancelled;
            let done = if cancelled {
                TaskState::Cancelled
            } else {
                TaskState::Finished
            };
            assert_eq!(
                canceller.state(),
                done,
                "the task is done while its callbacks run"
            );
            drop(capture);
        });
        added.expect("a slot is free for the callback");
    }

    fn cancel(&self, outside: &Outside, when: When) {
        let (through, times) = match self.case.cancel {
            Cancel::Once(at, through) if at == when => (through, 1),
            Cancel::Twice(at, through) if at == when => (through, 2),
            _ => return,
        };
        let pinned = self.is_pinned(outside);
        for time in 1..=times {
            let cancelled = match through {
                Through::Handle => outside.handle.as_ref().expect("still there").cancel(),
                Through::Canceller => outside.canceller.expect("always there").cancel(),
            };
            let was_gone = !pinned && (time == 2 || when == When::Ended);
            let expected =
                !was_gone && self.case.ended_by(when) && self.case.outcome() == Outcome::Cancelled;
            assert_eq!(cancelled, expected, "cancel number {time} at {when:?}");
        }
    }

    fn let_go(&self, outside: &mut Outside) {
        let Some(mut handle) = outside.handle.take() else {
            return;
        };
        match self.case.fate {
            Fate::Result if self.case.wait == Wait::Await => {
                let waker = Waker::from(Arc::clone(&self.wakes));
                match Pin::new(&mut *handle).poll(&mut Context::from_waker(&waker)) {
                    Poll::Ready(taken) => self.take(taken),
                    Poll::Pending => panic!("the handle was woken in vain"),
                }
            }
            Fate::Result => match handle {
                Held::Plain(handle) => self.take(handle.result()),
                Held::Cancelling(_) => unreachable!("this fate needs a plain handle"),
            },
            Fate::TryResult => {
                let cancelled = handle.cancelled();
                self.take(handle.try_result().expect("the task has ended"));
                let again = handle.try_result().expect("the task has ended").err();
                let expected = if cancelled {
                    TaskError::Cancelled
                } else {
                    TaskError::AlreadyTaken
                };
                assert_eq!(again, Some(expected));
            }
            Fate::Dropped(_) | Fate::CancelOnDrop(_) => drop(handle),
            Fate::Detached => match handle {
                Held::Plain(handle) => handle.detach(),
                Held::Cancelling(_) => unreachable!("this fate needs a plain handle"),
            },
            Fate::Forgotten => core::mem::forget(handle),
        }
    }

    pub(crate) fn take(&self, taken: Result<Tracked, TaskError>) {
        self.see(Outcome::of(taken.as_ref()));
        match taken {
            Err(TaskError::Panicked(panic)) => drop_ours(panic.into_payload()),
            taken => drop_ours(taken),
        }
    }
}
