//! Scopes whose tasks come and go in unlucky moments.

use core::cell::RefCell;
use std::sync::mpsc::channel;

use slotted::{Executor, Park, Shutdown};

use crate::schedules::support::within_limit;
use crate::stage::{Actor, Crew, Stage};

type Hook = RefCell<Option<Box<dyn FnOnce()>>>;

std::thread_local! {
    /// What happens when the calling thread next clones a [`Named`], and next drops one.
    static WHEN_CLONED: Hook = const { RefCell::new(None) };
    static WHEN_DROPPED: Hook = const { RefCell::new(None) };
}

/// An actor whose clone and whose destructor are the test's.
#[derive(Debug)]
struct Named(Actor);

impl Clone for Named {
    fn clone(&self) -> Self {
        if let Some(happens) = WHEN_CLONED.take() {
            happens();
        }
        Self(self.0.clone())
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        // Threads that end drop theirs after their variables.
        if let Ok(Some(happens)) = WHEN_DROPPED.try_with(RefCell::take) {
            happens();
        }
    }
}

/// The [`Stage`], whose threads are [`Named`].
struct NamedStage;

impl Park for NamedStage {
    type Thread = Named;
    type Order = slotted::Fifo;

    fn current() -> Named {
        Named(Stage::current())
    }

    fn current_id() -> usize {
        Stage::current_id()
    }

    fn park() {
        Stage::park();
    }

    fn unpark(thread: &Named) {
        Stage::unpark(&thread.0);
    }
}

/// The destructor of a host's thread may use the executor: none runs in a critical section, also
/// not that of a clone which was not needed, because the scope's owner submitted meanwhile.
#[cfg_attr(
    slotted_critical_section,
    ignore = "the owner cannot submit while another thread clones in the only critical section"
)]
#[test]
fn destructor_of_a_hosts_thread_may_use_the_executor() {
    static POOL: Executor<2, 8, 256, NamedStage> = Executor::new();
    within_limit(|| {
        let crew = Crew::default();
        POOL.start(&crew).unwrap();
        let (tell_dropped, dropped) = channel();
        let owner = move || {
            POOL.scope(|s| {
                let (ask, asked) = channel();
                let (answer, answered) = channel::<()>();
                // On the other worker: this one waits.
                let task = move || {
                    WHEN_CLONED.set(Some(Box::new(move || {
                        ask.send(()).unwrap();
                        answered.recv().unwrap();
                        WHEN_DROPPED.set(Some(Box::new(move || {
                            let (_promise, handle) = POOL.promise::<u8>().unwrap();
                            handle.add_done_callback(|_| ()).unwrap();
                            tell_dropped.send(()).unwrap();
                        })));
                    })));
                };
                s.submit(task).unwrap().detach();
                asked.recv().unwrap();
                s.submit(|| ()).unwrap().detach();
                answer.send(()).unwrap();
            });
        };
        POOL.submit(owner).unwrap().result().unwrap();
        dropped.recv().unwrap();
        POOL.shutdown(Shutdown::Drain).unwrap();
        crew.join();
    });
}
