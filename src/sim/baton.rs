//! Which real thread runs: the holder of the world.
//!
//! A thread that gives the world away puts it into the next thread's seat and waits at its own. So
//! the lock of a seat is taken only to change threads. It is a real lock of std's, and guards none
//! of the engine's state.

use core::any::Any;
use core::cell::RefCell;
use core::fmt;
use core::panic::AssertUnwindSafe;
use std::boxed::Box;
use std::io;
use std::panic::{catch_unwind, resume_unwind};
use std::string::String;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use super::trace::Action;
use super::world::{DRIVER, Switch, Wait, WakeUp, World};
use crate::step::Step;

std::thread_local! {
    /// The world, while this thread runs in it.
    static WORLD: RefCell<Option<Box<World>>> = const { RefCell::new(None) };
}

/// Names a simulated thread: what [`SimHost`](crate::SimHost) unparks.
#[derive(Clone)]
pub struct SimThread(Arc<Seat>);

impl fmt::Debug for SimThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SimThread").field(&self.0.number).finish()
    }
}

/// Where a thread waits for the world.
struct Seat {
    number: u32,
    place: Mutex<Place>,
    changed: Condvar,
}

#[derive(Default)]
struct Place {
    world: Option<Box<World>>,
    /// The thread has ended. A waker may still name it.
    left: bool,
}

impl SimThread {
    pub(super) fn new(number: u32) -> Self {
        Self(Arc::new(Seat {
            number,
            place: Mutex::default(),
            changed: Condvar::new(),
        }))
    }

    pub(super) fn number(&self) -> u32 {
        self.0.number
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn with<R>(&self, act: impl FnOnce(&mut Place) -> R) -> R {
        act(&mut self.0.place.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives the thread the world.
    fn give(&self, world: Box<World>) {
        self.with(|place| place.world = Some(world));
        self.0.changed.notify_one();
    }

    /// Waits for the world. The calling thread has this seat.
    fn receive(&self) {
        let place = self.0.place.lock().unwrap_or_else(PoisonError::into_inner);
        let came = |place: &mut Place| place.world.is_none();
        let mut place = self
            .0
            .changed
            .wait_while(place, came)
            .unwrap_or_else(PoisonError::into_inner);
        let world = place.world.take();
        drop(place);
        WORLD.set(world);
    }
}

#[cold]
fn no_simulation() -> ! {
    panic!(
        "slotted: this thread belongs to no simulation, and `SimHost` works only inside one: make \
         a `Simulation` in this thread, or start the thread with `Simulation::spawn`; a worker \
         needs `start(&simulation)`"
    )
}

/// Acts on the world. The calling thread runs in it.
#[inline]
pub(super) fn with<R>(act: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with_borrow_mut(|world| match world {
        Some(world) => act(world),
        None => no_simulation(),
    })
}

/// Makes a world that the calling thread drives.
pub(super) fn make() {
    WORLD.with_borrow_mut(|world| {
        assert!(
            world.is_none(),
            "slotted: this thread belongs to a simulation already: drop that one first"
        );
        *world = Some(Box::new(World::new(SimThread::new(DRIVER))));
    });
}

/// Takes the world apart. The driving thread is the only one left.
pub(super) fn unmake() -> Option<Box<dyn Any + Send>> {
    let mut world = WORLD.take()?;
    world.running().with(|place| place.left = true);
    world.take_panic()
}

#[inline]
pub(super) fn now() -> u64 {
    with(|world| world.now())
}

pub(super) fn current() -> SimThread {
    with(|world| world.running().clone())
}

/// Gives the world to the next thread, and waits until it comes back.
fn pass(switch: Option<Switch>) {
    if let Some(Switch { from, to }) = switch {
        if let Some(world) = WORLD.take() {
            to.give(world);
        }
        from.receive();
    }
}

/// A point at which another thread may run.
#[inline]
pub(super) fn point(action: Option<Action>) {
    pass(with(|world| {
        if let Some(action) = action {
            world.note(action);
        }
        world.point()
    }));
}

pub(super) fn let_others_run() {
    pass(with(World::let_others_run));
    unwind_if_ended();
}

/// Sleeps until there is a permit, and takes it; at most until a tick.
pub(super) fn park(until: Option<u64>) {
    let switch = with(|world| {
        if world.take_permit() || until.is_some_and(|until| until <= world.now()) {
            return world.point();
        }
        world.note(until.map_or(Action::Parked, Action::ParkedUntil));
        world.wait(Wait::Permit { until })
    });
    pass(switch);
    unwind_if_ended();
}

/// Waits for something that no permit brings.
pub(super) fn wait(wait: Wait) {
    pass(with(|world| {
        match wait {
            Wait::Date { until } => world.note(Action::SpentUntil(until)),
            Wait::Rest { until } => world.note(Action::AdvancedUntil(until)),
            Wait::Permit { .. } | Wait::Turn | Wait::Ends => {}
        }
        world.wait(wait)
    }));
    unwind_if_ended();
}

/// Unwinds the calling thread if nothing else could end its wait.
fn unwind_if_ended() {
    let (wake_up, is_driver) = with(|world| (world.wake_up(), world.running().number() == DRIVER));
    match wake_up {
        WakeUp::Normal => {}
        WakeUp::Unwind(why) if is_driver => panic!("{why}"),
        // The driving thread says it. A task that is unwound ends with the same words.
        WakeUp::Unwind(why) => resume_unwind(Box::new(why)),
    }
}

/// A point, if the calling thread runs in a world: it may also drop an executor after that.
#[inline]
pub(super) fn ready() {
    if WORLD.with_borrow(Option::is_some) {
        point(Some(Action::Ready));
    }
}

/// Notes a step, and is a point: as [`ready`].
#[inline]
pub(super) fn note(step: impl FnOnce() -> Step) {
    let switch = WORLD.with_borrow_mut(|world| {
        let world = world.as_mut()?;
        world.note_step(step());
        world.point()
    });
    pass(switch);
}

/// Gives a thread its permit.
pub(super) fn unpark(thread: &SimThread) {
    let unpark = |world: &mut Box<World>| {
        let number = thread.number();
        let is_here = world.has(number, thread);
        if is_here {
            world.unpark(number);
        }
        is_here
    };
    let is_here = WORLD.with_borrow_mut(|world| world.as_mut().map(unpark));
    match is_here {
        Some(true) => point(None),
        // A late waker is harmless.
        _ if thread.with(|place| place.left) => {}
        Some(false) => panic!(
            "slotted: a thread of another simulation is to be woken: two simulations use one \
             executor. Give each test an executor of its own"
        ),
        None => no_simulation(),
    }
}

/// Adds a thread to the world and makes it. It begins when the world comes to it.
pub(super) fn spawn(
    name: String,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<thread::JoinHandle<()>> {
    let thread = with(|world| world.add(name.clone(), SimThread::new));
    let number = thread.number();
    let spawned = thread::Builder::new().name(name).spawn(move || {
        thread.receive();
        let ended = catch_unwind(AssertUnwindSafe(work));
        leave(&thread, ended.err());
    });
    match spawned {
        Ok(_) => point(None),
        Err(_) => with(|world| world.take_back(number)),
    }
    spawned
}

/// The calling thread ends, and gives the world away for the last time.
fn leave(thread: &SimThread, panic: Option<Box<dyn Any + Send>>) {
    thread.with(|place| place.left = true);
    // The panic that unwound it is no news.
    let panic = panic.filter(|_| !with(|world| world.was_unwound()));
    let switch = with(|world| world.end(panic));
    if let Some(world) = WORLD.take() {
        switch.to.give(world);
    }
}
