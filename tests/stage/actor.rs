//! A host whose sleeping threads a test can see and hold.

use core::marker::PhantomData;
use std::sync::{Arc, Condvar, Mutex};

use slotted::{Park, StdHost};

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
    /// The thread is parked and has no permit.
    asleep: bool,
    /// The thread stays parked even with a permit.
    held: bool,
}

impl Actor {
    fn current() -> Self {
        std::thread_local!(static ACTOR: Actor = Actor::default());
        ACTOR.with(Clone::clone)
    }

    fn change(&self, change: impl FnOnce(&mut Sleep)) {
        change(&mut self.0.sleep.lock().unwrap());
        self.0.changed.notify_all();
    }

    /// Waits until the thread is parked and has no permit.
    pub(crate) fn until_asleep(&self) {
        drop(
            self.0
                .changed
                .wait_while(self.0.sleep.lock().unwrap(), |sleep| !sleep.asleep)
                .unwrap(),
        );
    }

    /// Returns true if the thread is parked and has no permit.
    pub(crate) fn is_asleep(&self) -> bool {
        self.0.sleep.lock().unwrap().asleep
    }

    /// From now on `park` does not return: the system delays the thread.
    pub(crate) fn hold(&self) {
        self.change(|sleep| sleep.held = true);
    }

    /// The system schedules the thread again.
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

/// What a host on the stage does beside sleeping and waking. The defaults are those of [`Park`].
pub(crate) trait Habits: 'static {
    const FAIR: bool = false;

    /// Called before and after each sleep.
    fn around_park() {}

    /// Called before the host names the calling thread.
    fn before_current() {}

    fn spin(_round: u32) -> bool {
        false
    }

    fn yield_now(_round: u32) -> bool {
        false
    }
}

/// Std threads that are [`Actor`]s, with habits of their own.
#[derive(Debug)]
pub(crate) struct StageWith<H>(PhantomData<H>);

/// Std threads that are [`Actor`]s, with the default habits.
pub(crate) type Stage = StageWith<Plain>;

#[derive(Debug)]
pub(crate) struct Plain;

impl Habits for Plain {}

impl<H: Habits> Park for StageWith<H> {
    type Thread = Actor;
    type Order = slotted::Fifo;
    const FAIR: bool = H::FAIR;

    fn current() -> Actor {
        H::before_current();
        Actor::current()
    }

    fn current_id() -> usize {
        StdHost::current_id()
    }

    fn park() {
        H::around_park();
        Actor::current().park();
        H::around_park();
    }

    fn unpark(actor: &Actor) {
        actor.unpark();
    }

    fn spin(round: u32) -> bool {
        H::spin(round)
    }

    fn yield_now(round: u32) -> bool {
        H::yield_now(round)
    }
}
