//! Random programs of all that an owner takes: each task ends once, and no wait is left.
//!
//! Three threads submit in every way, also from inside the tasks. Owners come and go, give their
//! workers away, and are async tasks. Shutdowns of every kind come at any time.

use core::cell::Cell;
use core::ops::ControlFlow;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Poll, Waker};
use core::time::Duration;
use std::panic::{catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Mutex;
use std::thread::{self, ThreadId};

use slotted::{
    Clock, Every, Executor, JoinHandle, Levels, Ordered, Owned, OwnedWorker, Ran, Refusal,
    ReturnWhen, Shutdown, SimHost, Simulation, Timetable, wait,
};

type Host = Ordered<SimHost, Levels<2>>;

/// Not `Send`; one task at a time has it.
struct Own {
    home: ThreadId,
    busy: Cell<bool>,
    _stays: Rc<()>,
}

impl Own {
    fn new() -> Self {
        Self {
            home: thread::current().id(),
            busy: Cell::new(false),
            _stays: Rc::default(),
        }
    }

    fn alone<R>(&mut self, work: impl FnOnce() -> R) -> R {
        assert_eq!(thread::current().id(), self.home, "it left its thread");
        assert!(!self.busy.replace(true), "two tasks have it at once");
        let result = work();
        self.busy.set(false);
        result
    }
}

#[derive(Clone, Copy)]
struct World {
    radio: &'static Owned<Own, 5, 256, Host>,
    times: &'static Timetable<4, Host>,
    counts: &'static [AtomicUsize; 2],
    wakers: &'static Mutex<Vec<Waker>>,
    forgotten: &'static AtomicUsize,
    accepted: &'static AtomicUsize,
    alive: &'static AtomicUsize,
    given: &'static Mutex<Vec<OwnedWorker<'static, Own, Host>>>,
    pool: &'static Executor<2, 6, 512, Host>,
}

/// Counts its drop.
struct Held(&'static [AtomicUsize; 2]);

impl Drop for Held {
    fn drop(&mut self) {
        self.0[1].fetch_add(1, Ordering::Relaxed);
    }
}

/// An owner that sleeps while nothing is ready.
struct Alive(&'static AtomicUsize);

impl Alive {
    fn new(alive: &'static AtomicUsize) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        Self(alive)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % sides
    }
}

impl World {
    /// Counts a task that was accepted.
    fn took<T, E>(self, taken: Result<T, E>) -> Result<T, E> {
        self.accepted
            .fetch_add(usize::from(taken.is_ok()), Ordering::Relaxed);
        taken
    }

    fn held(self) -> Held {
        self.counts[0].fetch_add(1, Ordering::Relaxed);
        Held(self.counts)
    }

    /// Ends the caller's part in a task.
    fn end<T: Send + 'static>(self, dice: &mut Dice, handle: JoinHandle<'static, T, Host>) {
        match dice.roll(9) {
            0 => drop(handle),
            1 => drop(handle.cancel_on_drop()),
            2 => drop(handle.cancel_sync()),
            3 => {
                let _ = handle.request_stop();
            }
            4 => {
                let _ = handle.raise::<1>();
            }
            5 => {
                let _ = self.times.move_to(&handle, Host::now() + 500);
            }
            6 => {
                let _ = self.times.cancel_at(&handle, Host::now() + 700);
            }
            7 => {
                let held = self.held();
                let seed = dice.0;
                let callback = move |_: Result<&T, &slotted::TaskError>| {
                    let _held = held;
                    self.act(&mut Dice(seed | 1), 2);
                };
                drop(handle.add_done_callback(callback));
            }
            _ => {
                let mut handle = handle;
                let _ = handle.result_timeout(Duration::from_nanos(300));
                let _ = handle.cancel();
            }
        }
    }

    /// One random step, in a thread, a task or a callback.
    fn act(self, dice: &mut Dice, depth: u32) {
        let radio = self.radio;
        let held = self.held();
        let seed = dice.0;
        let to = if dice.roll(2) == 0 {
            radio.level::<0>()
        } else {
            radio.level::<1>()
        };
        let later = self.times.on_owned(radio);
        let later = if dice.roll(2) == 0 {
            later
        } else {
            later.level::<1>()
        };
        match dice.roll(11) {
            0 | 1 => {
                let task = move |own: &mut Own| {
                    let _held = held;
                    own.alone(|| {
                        if depth < 2 {
                            self.act(&mut Dice(seed | 1), depth + 1);
                        }
                    });
                };
                if let Ok(handle) = self.took(to.submit(task)) {
                    self.end(dice, handle);
                }
            }
            2 => {
                let mut left = 2;
                let task = move |own: &mut Own, context: &mut core::task::Context<'_>| {
                    let _held = &held;
                    own.alone(|| {
                        if depth < 2 {
                            self.act(&mut Dice((seed + left) | 1), depth + 1);
                        }
                        if left == 0 {
                            return Poll::Ready(());
                        }
                        left -= 1;
                        if seed & 7 == 0 {
                            // Another thread wakes it.
                            self.wakers.lock().unwrap().push(context.waker().clone());
                        }
                        context.waker().wake_by_ref();
                        Poll::Pending
                    })
                };
                if let Ok(mut handle) = self.took(to.submit_poll(task)) {
                    if depth == 0 && dice.roll(2) == 0 {
                        let limit = Duration::from_nanos(dice.roll(200));
                        let _ = handle.result_timeout(limit);
                        let _ = handle.result_inline(); // the owner polls it all the same
                    } else {
                        self.end(dice, handle);
                    }
                }
            }
            3 => {
                let mut first = true;
                let task = move |own: &mut Own, context: &mut core::task::Context<'_>| {
                    let _held = &held;
                    own.alone(|| {
                        if !core::mem::take(&mut first) {
                            return Poll::Ready(());
                        }
                        self.wakers.lock().unwrap().push(context.waker().clone());
                        Poll::Pending
                    })
                };
                if let Ok(handle) = self.took(to.submit_poll(task)) {
                    self.end(dice, handle);
                }
            }
            4 => {
                let task = move |own: &mut Own| {
                    let _held = held;
                    own.alone(|| {
                        if depth < 2 {
                            self.act(&mut Dice(seed | 1), depth + 1);
                        }
                    });
                };
                if let Ok(handle) = self.took(later.submit_at(Host::now() + dice.roll(800), task)) {
                    self.end(dice, handle);
                }
            }
            5 => {
                let mut left = 2;
                let task = move |own: &mut Own, _| {
                    let _held = &held;
                    own.alone(|| {
                        left -= 1;
                        if depth < 2 {
                            self.act(&mut Dice((seed + left) | 1), depth + 1);
                        }
                        if left == 0 {
                            ControlFlow::Break(())
                        } else {
                            ControlFlow::Continue(())
                        }
                    })
                };
                if let Ok(handle) = self.took(later.submit_every(Every::ticks(400), task)) {
                    self.end(dice, handle);
                }
            }
            6 | 7 => {
                let numbers = [7, 8];
                let roll = dice.roll(6);
                let dice_panics = dice.roll(6);
                let body = AssertUnwindSafe(|| {
                    to.scope(|scope| {
                        let numbers = &numbers;
                        let first = self.took(scope.submit(move |own| {
                            let _held = held;
                            assert_eq!(numbers[0], 7);
                            own.alone(|| {
                                if depth < 2 {
                                    self.act(&mut Dice(seed | 1), depth + 1);
                                }
                            });
                            if roll == 5 {
                                // To its own scope.
                                let held = self.held();
                                let more = self.took(scope.submit(move |own| {
                                    let _held = held;
                                    own.alone(|| assert_eq!(numbers[1], 8));
                                }));
                                drop(more.map(JoinHandle::detach));
                            }
                            if dice_panics == 0 {
                                resume_unwind(Box::new("of a task"));
                            }
                        }));
                        let held = self.held();
                        let second = self.took(scope.submit_stoppable(move |own, stop| {
                            let _held = held;
                            own.alone(|| assert_eq!(numbers[1], 8));
                            stop.requested()
                        }));
                        match roll {
                            0 => drop(first.map(JoinHandle::result)),
                            1 => drop(first.map(JoinHandle::cancel_sync)),
                            2 => drop(second.map(JoinHandle::result)),
                            3 => {
                                drop(first);
                                drop(second.map(|handle| handle.request_stop()));
                            }
                            4 => {
                                if let Ok(first) = first {
                                    self.forgotten.fetch_add(1, Ordering::Relaxed);
                                    core::mem::forget(first);
                                }
                            }
                            _ => {}
                        }
                        if dice_panics == 1 {
                            resume_unwind(Box::new("of a body"));
                        }
                    })
                });
                let _ = catch_unwind(body);
            }
            8 => {
                let wakers = core::mem::take(&mut *self.wakers.lock().unwrap());
                wakers.into_iter().for_each(Waker::wake);
            }
            9 => {
                let Ok((promise, handle)) = self.took(to.promise::<()>()) else {
                    return;
                };
                let seed = dice.0;
                let callback = move |_: Result<&(), &slotted::TaskError>| {
                    let _held = held;
                    self.act(&mut Dice(seed | 1), 2);
                };
                drop(handle.add_done_callback(callback));
                let other = self.took(radio.submit(move |own| own.alone(|| ())));
                let _ = promise.set_result(());
                let mut handles = vec![handle];
                handles.extend(other);
                let when = [
                    ReturnWhen::FirstCompleted,
                    ReturnWhen::FirstError,
                    ReturnWhen::AllCompleted,
                ][dice.roll(3) as usize];
                let _ = wait(&mut handles, when);
                handles
                    .into_iter()
                    .for_each(|handle| self.end(dice, handle));
            }
            _ => {
                drop(held);
                let mode = [Shutdown::Drain, Shutdown::Cancel, Shutdown::Stop];
                let mode = mode[dice.roll(3) as usize];
                match dice.roll(9) {
                    0 => radio.begin_shutdown(mode),
                    1 if depth == 0 => {
                        let _ = radio.shutdown_timeout(mode, Duration::from_nanos(300));
                    }
                    2 => {
                        if let Ok(closing) = self.pool.submit_future(radio.shutdown_async(mode)) {
                            if dice.roll(2) == 0 {
                                closing.detach();
                            } else {
                                let mut closing = closing;
                                let _ = closing.result_timeout(Duration::from_nanos(200));
                                drop(closing.cancel_on_drop());
                            }
                        }
                    }
                    _ => {
                        self.times.advance();
                    }
                }
            }
        }
    }

    /// Owns in four lives: as a thread, as a loop, as an async task; or gives the worker away.
    fn own(self, dice: &mut Dice) {
        for _ in 0..4 {
            let Ok(mut worker) = self.radio.worker() else {
                SimHost::spend(Duration::from_nanos(200));
                continue;
            };
            match dice.roll(6) {
                0 => {
                    let _alive = Alive::new(self.alive);
                    drop(worker.run(Own::new()));
                }
                4 | 5 => {
                    let turns = dice.roll(12);
                    let owner = self.pool.submit_future(async move {
                        for _ in 0..turns {
                            let alive = Alive::new(self.alive);
                            worker.ready().await;
                            drop(alive);
                            let mut own = Own::new();
                            if worker.run_one(&mut own) == Ran::Left {
                                break;
                            }
                        }
                    });
                    match owner {
                        Ok(owner) if dice.roll(2) == 0 => {
                            SimHost::spend(Duration::from_nanos(dice.roll(500)));
                            drop(owner.cancel_on_drop());
                        }
                        Ok(owner) => drop(owner.result()),
                        Err(_) => {}
                    }
                }
                1 => {
                    // Handed over.
                    let mut own = Own::new();
                    for _ in 0..dice.roll(4) {
                        let _ = worker.run_one(&mut own);
                    }
                    self.given.lock().unwrap().push(worker);
                }
                _ => {
                    let mut own = Own::new();
                    for _ in 0..dice.roll(8) {
                        self.times.advance();
                        if worker.run_one(&mut own) == Ran::Left {
                            break;
                        }
                        if dice.roll(3) == 0 {
                            SimHost::spend(Duration::from_nanos(100));
                        }
                    }
                    drop(worker);
                }
            }
        }
    }

    /// Takes workers that were handed over.
    fn follow(self, dice: &mut Dice) {
        for _ in 0..8 {
            let given = self.given.lock().unwrap().pop();
            let Some(mut worker) = given else {
                SimHost::spend(Duration::from_nanos(150));
                continue;
            };
            if dice.roll(2) == 0 {
                let _alive = Alive::new(self.alive);
                drop(worker.run(Own::new()));
            } else {
                let mut own = Own::new();
                for _ in 0..dice.roll(6) {
                    if worker.run_one(&mut own) == Ran::Left {
                        break;
                    }
                }
            }
        }
    }
}

#[test]
fn whatever_an_owner_is_given_ends_once() {
    let seeds = if cfg!(miri) { 2 } else { 300 };
    let next = Cell::new(0);
    Simulation::check_seeds(0..seeds, |simulation| {
        let number = next.replace(next.get() + 1);
        let world = World {
            radio: Box::leak(Box::new(Owned::new())),
            times: Box::leak(Box::new(Timetable::new())),
            counts: Box::leak(Box::default()),
            wakers: Box::leak(Box::default()),
            forgotten: Box::leak(Box::default()),
            accepted: Box::leak(Box::default()),
            alive: Box::leak(Box::default()),
            given: Box::leak(Box::default()),
            pool: Box::leak(Box::new(Executor::new())),
        };
        let dice = move |actor: u64| {
            Dice((number * 8 + actor + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
        };
        world.pool.start(simulation).unwrap();
        for actor in 0..3 {
            let work = move || {
                let mut dice = dice(actor);
                for _ in 0..6 {
                    world.act(&mut dice, 0);
                    if dice.roll(4) == 0 {
                        SimHost::spend(Duration::from_nanos(100));
                    }
                }
            };
            simulation.spawn("actor", work).unwrap();
        }
        simulation
            .spawn("owner", move || world.own(&mut dice(5)))
            .unwrap();
        simulation
            .spawn("follower", move || world.follow(&mut dice(6)))
            .unwrap();
        for _ in 0..40 {
            simulation.advance(Duration::from_nanos(500));
            let _ = world.times.advance();
            simulation.settle();
            if world.alive.load(Ordering::Relaxed) != 0 {
                let before = world.radio.stats();
                if before.queued != 0 {
                    // The owner may be in a wait with a limit.
                    simulation.advance(Duration::from_nanos(1000));
                    let after = world.radio.stats();
                    let moved =
                        (before.completed, before.cancelled) != (after.completed, after.cancelled);
                    let alive = world.alive.load(Ordering::Relaxed) != 0;
                    assert!(
                        moved || after.queued == 0 || !alive,
                        "the owner sleeps: {after:?}"
                    );
                }
            }
        }
        let left = core::mem::take(&mut *world.given.lock().unwrap());
        drop(left);
        simulation.settle();
        let has_owner = simulation.running_threads() != 2 || world.pool.stats().slots_in_use != 0;
        if !has_owner && world.radio.reserve().err() == Some(Refusal::ShutDown) {
            assert!(
                world.radio.worker().is_ok(),
                "the owner left something behind"
            );
        }
        for _ in 0..20 {
            world.radio.begin_shutdown(Shutdown::Cancel);
            simulation.advance(Duration::from_nanos(500));
            simulation.settle();
            let left = core::mem::take(&mut *world.given.lock().unwrap());
            drop(left);
            if simulation.running_threads() == 2 && world.pool.stats().slots_in_use == 0 {
                break;
            }
        }
        assert_eq!(simulation.running_threads(), 2, "a thread waits for ever");
        world.pool.shutdown(Shutdown::Drain).unwrap();
        simulation.settle();
        assert_eq!(simulation.running_threads(), 0);
        world.radio.shutdown(Shutdown::Cancel).unwrap();
        world.wakers.lock().unwrap().clear();
        simulation.settle();
        let [made, dropped] = world
            .counts
            .each_ref()
            .map(|count| count.load(Ordering::Relaxed));
        assert_eq!(made, dropped);
        simulation.advance(Duration::from_millis(5)); // a budget is patient
        let _ = world.times.advance();
        assert!(
            format!("{:?}", world.times).contains("used: 0"),
            "{:?}",
            world.times
        );
        assert!(world.radio.worker().is_ok());
        let stats = world.radio.stats();
        assert_eq!(stats.queued, 0);
        assert_eq!(
            stats.slots_in_use,
            world.forgotten.load(Ordering::Relaxed),
            "{stats:?}"
        );
        assert_eq!(stats.callbacks_panicked, 0);
        assert_eq!(
            stats.completed + stats.cancelled,
            world.accepted.load(Ordering::Relaxed),
            "{stats:?}"
        );
    });
}
