//! A host whose sleepers a test can see and hold, and a limit on how long a test may take.

use core::time::Duration;
use std::io;
use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Instant;

use slotted::{Park, Spawn, StdHost, Worker};

/// Far longer than any test here takes; one that needs it hangs.
const LIMIT: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 30 });

/// How long the rounds of one test go on; under Miri, two are all there is time for.
const ROUNDS: Duration = Duration::from_millis(if cfg!(miri) { 0 } else { 500 });

/// Fails if `test` is not back within the limit, instead of hanging with it.
pub(crate) fn within_limit(test: impl FnOnce() + Send + 'static) {
    let (over, is_over) = channel::<()>();
    let thread = thread::spawn(move || {
        let _over = over; // also when it panics
        test();
    });
    if is_over.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
        panic!("the test hangs");
    }
    if let Err(panic) = thread.join() {
        resume_unwind(panic);
    }
}

/// Who decides the order of what threads do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// The test: it waits until others sleep before it goes on.
    Staged,
    /// Nobody.
    Racing,
}

impl Pace {
    /// Lets `actor` fall asleep first, if the test decides the order.
    pub(crate) fn until_asleep(self, actor: &Actor) {
        if self == Self::Staged {
            actor.until_asleep();
        }
    }
}

/// Plays `round` at both paces, as often as there is time.
pub(crate) fn rounds(mut round: impl FnMut(Pace)) {
    let begin = Instant::now();
    loop {
        round(Pace::Staged);
        round(Pace::Racing);
        if begin.elapsed() >= ROUNDS {
            break;
        }
    }
}

/// A thread of the [`Stage`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Actor(Arc<Bed>);

#[derive(Debug, Default)]
struct Bed {
    sleep: Mutex<Sleep>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Sleep {
    permit: bool,
    /// Parked, and nobody has given the permit.
    asleep: bool,
    /// Stays parked even with a permit.
    held: bool,
}

impl Actor {
    fn change(&self, change: impl FnOnce(&mut Sleep)) {
        change(&mut self.0.sleep.lock().unwrap());
        self.0.changed.notify_all();
    }

    /// Waits until the thread is parked and nobody has woken it.
    pub(crate) fn until_asleep(&self) {
        drop(
            self.0
                .changed
                .wait_while(self.0.sleep.lock().unwrap(), |sleep| !sleep.asleep)
                .unwrap(),
        );
    }

    /// Whether the thread is parked and nobody has woken it.
    pub(crate) fn is_asleep(&self) -> bool {
        self.0.sleep.lock().unwrap().asleep
    }

    /// From now on the thread does not come back from `park`: the system schedules it late.
    pub(crate) fn hold(&self) {
        self.change(|sleep| sleep.held = true);
    }

    /// The system schedules it again.
    pub(crate) fn release(&self) {
        self.change(|sleep| sleep.held = false);
    }

    fn park(&self) {
        self.change(|sleep| sleep.asleep = !sleep.permit);
        let sleep = self.0.sleep.lock().unwrap();
        let mut sleep = self
            .0
            .changed
            .wait_while(sleep, |sleep| !sleep.permit || sleep.held)
            .unwrap();
        *sleep = Sleep {
            held: sleep.held,
            ..Sleep::default()
        };
    }

    fn unpark(&self) {
        self.change(|sleep| (sleep.permit, sleep.asleep) = (true, false));
    }
}

/// Std threads that are [`Actor`]s.
#[derive(Debug)]
pub(crate) struct Stage;

impl Park for Stage {
    type Thread = Actor;

    fn current() -> Actor {
        std::thread_local!(static ACTOR: Actor = Actor::default());
        ACTOR.with(Clone::clone)
    }

    fn current_id() -> usize {
        StdHost::current_id()
    }

    fn park() {
        Self::current().park();
    }

    fn unpark(actor: &Actor) {
        actor.unpark();
    }
}

/// A thread for each worker, of any host; and who they are, in the order of their numbers.
#[derive(Debug, Default)]
pub(crate) struct Crew {
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
    actors: Mutex<Vec<Actor>>,
}

impl Crew {
    /// The thread that runs the worker that was spawned `place`th.
    pub(crate) fn actor(&self, place: usize) -> Actor {
        self.actors.lock().unwrap()[place].clone()
    }

    /// Waits for the threads to end.
    pub(crate) fn join(self) {
        for thread in self.threads.into_inner().unwrap() {
            thread.join().unwrap();
        }
    }
}

impl<H: Park> Spawn<H> for Crew {
    type Error = io::Error;

    fn spawn(&self, worker: Worker<H>) -> io::Result<()> {
        let (tell, told) = channel();
        let thread = thread::Builder::new().spawn(move || {
            tell.send(Stage::current()).unwrap();
            worker.run();
        })?;
        self.threads.lock().unwrap().push(thread);
        self.actors.lock().unwrap().push(told.recv().unwrap());
        Ok(())
    }
}
