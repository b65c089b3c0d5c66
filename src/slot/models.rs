//! Loom models of the word's orderings: the word alone orders what one holder of a slot did before
//! what the next one does.
//!
//! In the executor, locks, lists and the inbox order most of it once more. Memory safety rests on
//! no list (*Typed Ticket*), so it rests on no ordering of theirs either. Each model fails if the
//! ordering that it is about is weakened: see the page on orderings.
#![forbid(unsafe_code)]

use std::sync::Arc;

use loom::thread;

use super::*;
use crate::slot::state::Start;

type Storage = SlotStorage<64>;

/// A slot that its first thread has claimed.
fn claimed() -> Arc<Storage> {
    let storage = Arc::new(Storage::new());
    assert!(storage.slot.state.claim());
    storage
}

/// A slot whose task runs in the first thread.
fn running(kind: TaskKind) -> Arc<Storage> {
    let storage = claimed();
    storage.slot.state.publish_pending(kind);
    assert_eq!(storage.slot.state.start(), Start::Yours);
    storage
}

/// A slot whose promise and handle are there, and whose outcome the promise's holder writes.
fn completing() -> Arc<Storage> {
    let storage = claimed();
    storage.slot.state.publish_open();
    assert!(storage.slot.state.complete_promise());
    storage
}

/// Loom fails if another thread reads or writes meanwhile, or did before and nothing orders it.
fn write(storage: &Storage) {
    storage.slot.access.with_mut(|_| ());
}

/// Loom fails if another thread writes meanwhile, or did before and nothing orders it.
fn read(storage: &Storage) {
    storage.slot.access.with(|_| ());
}

/// In every interleaving: `first` has the slot, and `next` becomes its holder if it can.
fn model(
    slot: fn() -> Arc<Storage>,
    first: fn(&Storage),
    next: impl Fn(&Storage) + Copy + Send + Sync + 'static,
) {
    loom::model(move || {
        let storage = slot();
        let other = storage.clone();
        let next = thread::spawn(move || next(&other));
        first(&storage);
        next.join().unwrap();
    });
}

#[test]
fn a_claim_comes_after_the_last_look_of_the_task_before() {
    let retire = |storage: &Storage| {
        read(storage);
        storage.slot.state.retire();
    };
    model(claimed, retire, |storage| {
        if storage.slot.state.claim() {
            write(storage);
        }
    });
}

#[test]
fn a_worker_sees_the_job_that_it_starts() {
    let publish = |storage: &Storage| {
        write(storage);
        storage.slot.state.publish_pending(TaskKind::Closure);
    };
    model(claimed, publish, |storage| {
        if storage.slot.state.start() == Start::Yours {
            write(storage);
        }
    });
}

#[test]
fn a_canceller_sees_the_job_that_it_drops() {
    let publish = |storage: &Storage| {
        write(storage);
        storage.slot.state.publish_pending(TaskKind::Closure);
    };
    model(claimed, publish, |storage| {
        if storage.slot.state.cancel(None, CancelFrom::Queue) {
            write(storage);
        }
    });
}

#[test]
fn a_canceller_sees_the_timed_task_that_it_drops() {
    let publish = |storage: &Storage| {
        write(storage);
        storage.slot.state.publish_resting();
    };
    model(claimed, publish, |storage| {
        if storage.slot.state.cancel_resting() {
            write(storage);
        }
    });
}

#[test]
fn a_completer_sees_the_callback_that_it_calls() {
    let publish = |storage: &Storage| {
        write(storage);
        storage.slot.state.publish_callback();
    };
    model(claimed, publish, |storage| {
        if storage.slot.state.start() == Start::Yours {
            write(storage);
        }
    });
}

#[test]
fn the_holder_of_a_promise_sees_what_was_published_with_it() {
    let publish = |storage: &Storage| {
        write(storage);
        storage.slot.state.publish_open();
    };
    model(claimed, publish, |storage| {
        if storage.slot.state.complete_promise() {
            write(storage);
        }
    });
}

#[test]
fn a_thread_that_sees_a_task_running_sees_what_its_starter_did_before() {
    let pending = || {
        let storage = claimed();
        storage.slot.state.publish_pending(TaskKind::Closure);
        storage
    };
    let start = |storage: &Storage| {
        write(storage); // as `link.set_runner`
        assert_eq!(storage.slot.state.start(), Start::Yours);
    };
    model(pending, start, |storage| {
        if storage.slot.snapshot().phase() == Phase::Running {
            read(storage);
        }
    });
}

#[test]
fn a_canceller_sees_the_future_that_came_to_rest() {
    let suspend = |storage: &Storage| {
        write(storage);
        assert!(!storage.slot.state.suspend());
    };
    model(
        || running(TaskKind::Future),
        suspend,
        |storage| {
            if storage.slot.state.cancel_resting() {
                write(storage);
            }
        },
    );
}

#[test]
fn a_receiver_sees_the_outcome() {
    let finish = |storage: &Storage| {
        write(storage);
        let _ = storage.slot.state.finish(OutcomeKind::Value);
    };
    model(
        || running(TaskKind::Closure),
        finish,
        |storage| {
            if storage.slot.snapshot().is_takeable() {
                write(storage);
            }
        },
    );
}

#[test]
fn a_completer_without_a_handle_comes_after_the_last_look_of_its_holder() {
    let finish = |storage: &Storage| {
        if storage.slot.state.finish(OutcomeKind::Value).slot_use() == SlotUse::Last {
            write(storage);
        }
    };
    model(
        || running(TaskKind::Closure),
        finish,
        |storage| {
            read(storage);
            let _ = storage.slot.state.drop_handle();
        },
    );
}

#[test]
fn a_handle_that_is_dropped_last_sees_the_outcome_that_it_drops() {
    let finish = |storage: &Storage| {
        write(storage);
        let _ = storage.slot.state.finish(OutcomeKind::Value);
    };
    model(
        || running(TaskKind::Closure),
        finish,
        |storage| {
            if storage.slot.state.drop_handle() == SlotUse::Last {
                write(storage);
            }
        },
    );
}

/// A slot whose task's outcome callbacks look at.
fn settling() -> Arc<Storage> {
    let storage = running(TaskKind::Closure);
    assert!(storage.slot.listen());
    assert!(storage.slot.state.finish(OutcomeKind::Value).has_listener());
    storage
}

#[test]
fn a_receiver_comes_after_the_last_callback() {
    let call = |storage: &Storage| {
        read(storage);
        let _ = storage.slot.state.finish_heard();
    };
    model(settling, call, |storage| {
        if storage.slot.snapshot().is_takeable() {
            write(storage);
        }
    });
}

#[test]
fn a_completer_with_listeners_comes_after_the_last_look_of_the_handles_holder() {
    let heard = |storage: &Storage| {
        if storage.slot.state.finish_heard() == SlotUse::Last {
            write(storage);
        }
    };
    model(settling, heard, |storage| {
        read(storage);
        let _ = storage.slot.state.drop_handle();
    });
}

/// The last of two holders comes after the last look of the other.
fn model_of_last_holders(promise: fn(&State) -> SlotUse, handle: fn(&State) -> SlotUse) {
    fn done() -> Arc<Storage> {
        let storage = completing();
        let _ = storage.slot.state.finish(OutcomeKind::Value);
        storage
    }
    loom::model(move || {
        let storage = done();
        let holders = [promise, handle].map(|drops| {
            let storage = storage.clone();
            thread::spawn(move || {
                read(&storage);
                if drops(&storage.slot.state) == SlotUse::Last {
                    write(&storage);
                }
            })
        });
        for holder in holders {
            holder.join().unwrap();
        }
    });
}

#[test]
fn the_last_of_handle_and_promise_comes_after_the_last_look_of_the_other() {
    model_of_last_holders(State::drop_promise, State::drop_handle);
}

#[test]
fn the_last_of_receiver_and_promise_comes_after_the_last_look_of_the_other() {
    model_of_last_holders(State::drop_promise, State::take);
}

#[test]
fn a_receiver_sees_the_outcome_of_a_promise_that_is_consumed() {
    let finish = |storage: &Storage| {
        write(storage);
        let _ = storage.slot.state.finish_promise(OutcomeKind::Value);
    };
    model(completing, finish, |storage| {
        if storage.slot.snapshot().is_takeable() {
            write(storage);
        }
    });
}

#[test]
fn a_promise_that_is_consumed_last_comes_after_the_last_look_of_the_handles_holder() {
    let finish = |storage: &Storage| {
        let was = storage.slot.state.finish_promise(OutcomeKind::Value);
        if was.slot_use() == SlotUse::Last {
            write(storage);
        }
    };
    model(completing, finish, |storage| {
        read(storage);
        let _ = storage.slot.state.drop_handle();
    });
}
