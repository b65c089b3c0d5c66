//! Plays a program, and checks the accounts of its tasks.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::Waker;
use std::sync::{Arc, Mutex as StdMutex, PoisonError, Weak};

use slotted::{Canceller, Clock, Order, Outcome, Park, Promise, Shutdown, Step};

use crate::actor::Actor;
use crate::host::{Crew, Leveled, Parts, Pool};
use crate::ledger::{Account, Output};
use crate::noting::Noting;
use crate::program::{Body, Completion, Driven, Limit, Program, Shape};
use crate::tasks::{Mission, ask, perform};
use crate::told;
use crate::world::{Channel, Mutex, on_look, thread, with};

/// What the threads and tasks of one program share.
pub(crate) struct World<H: Park + 'static> {
    pub(crate) pool: &'static dyn Pool<H>,
    pub(crate) crew: Crew,
    /// Tasks may have dates.
    pub(crate) keeps_time: bool,
    /// Threads can wait in a way that needs workers.
    pub(crate) has_workers: bool,
    /// A shutdown may cancel tasks.
    pub(crate) cancels_at_shutdown: bool,
    /// A life may break.
    pub(crate) breaks: bool,
    /// Lives that have begun, and shutdowns that were called.
    lives: AtomicUsize,
    shutdowns: AtomicUsize,
    /// Shutdowns that ask what runs.
    stops: AtomicUsize,
    /// Threads that wait for the end of a scope, or begin one.
    pub(crate) in_scopes: Mutex<Vec<usize>>,
    /// Threads can wait for a slot.
    pub(crate) frees_slots: bool,
    /// So many handles may be forgotten.
    pub(crate) forgettable: AtomicUsize,
    accounts: StdMutex<Vec<Arc<Account>>>,
    pub(crate) cancellers: Mutex<Vec<(Canceller<'static, H>, Arc<Account>)>>,
    pub(crate) wakers: Mutex<Vec<Waker>>,
    /// Futures that are suspended, to be woken once each.
    pub(crate) alarm: Channel<Waker>,
    /// Tasks that end only if they are asked to stop.
    pub(crate) endless: Channel<(Canceller<'static, H>, Arc<Account>)>,
    /// Promises that are to be completed.
    pub(crate) promises: Channel<Promised<H>>,
}

pub(crate) struct Promised<H: Park + 'static> {
    pub(crate) promise: Promise<'static, Output, H>,
    pub(crate) how: Completion,
    pub(crate) account: Arc<Account>,
}

impl<H: Clock> World<H> {
    pub(crate) fn start(&self, crew: &Crew) {
        if self.pool.start(crew) {
            self.lives.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a shutdown that is about to begin.
    fn count_shutdown(&self, how: Shutdown) {
        let stops = usize::from(how == Shutdown::Stop);
        self.stops.fetch_add(stops, Ordering::Relaxed);
        self.shutdowns.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn shutdown(&self, how: Shutdown) {
        self.count_shutdown(how);
        self.pool.shutdown(how);
    }

    /// If the limit passes, the shutdown goes on.
    pub(crate) fn shutdown_within(&self, how: Shutdown, limit: Limit) {
        self.count_shutdown(how);
        self.pool.shutdown_within(how, limit);
    }

    pub(crate) fn begin_shutdown(&self, how: Shutdown) {
        self.count_shutdown(how);
        self.pool.begin_shutdown(how);
    }

    /// Returns true if no shutdown and no breakdown can have ended the tasks that were submitted
    /// after so many lives had begun. A life with workers follows a shutdown of the one before.
    fn is_spared(&self, lives: usize) -> bool {
        let no_shutdown = self.has_workers && self.shutdowns.load(Ordering::Relaxed) < lives;
        !self.breaks && (!self.cancels_at_shutdown || no_shutdown)
    }

    /// The account of another task.
    pub(crate) fn account(&self, origin: String) -> Arc<Account> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let life = self.lives.load(Ordering::Relaxed);
        let account = Account::new(accounts.len(), life, self.has_workers, origin);
        accounts.push(account.clone());
        account
    }
}

/// Plays a program once, on a host like `P` that keeps what it is told, and perhaps `LOOKS` at the
/// executor then. Tasks start in the order `O`.
pub(crate) fn play<P: Clock, const LOOKS: bool, O: Order>(program: &Program)
where
    Noting<P, LOOKS, O>: Leveled,
{
    play_on::<Noting<P, LOOKS, O>>(program);
}

fn play_on<H: Leveled>(program: &Program) {
    match program.shape {
        Shape::Workers0Slots2 => play_with::<0, 2, H>(program),
        Shape::Workers0Slots3 => play_with::<0, 3, H>(program),
        Shape::Workers1Slots1 => play_with::<1, 1, H>(program),
        Shape::Workers1Slots2 => play_with::<1, 2, H>(program),
        Shape::Workers1Slots3 => play_with::<1, 3, H>(program),
        Shape::Workers2Slots2 => play_with::<2, 2, H>(program),
        Shape::Workers2Slots3 => play_with::<2, 3, H>(program),
        Shape::Workers3Slots4 => play_with::<3, 4, H>(program),
    }
}

fn play_with<const WORKERS: usize, const SLOTS: usize, H: Leveled>(program: &Program) {
    let storage = Box::into_raw(Box::new(Parts::<WORKERS, SLOTS, H>::new()));
    // SAFETY: it is freed at the end of this function, when nothing refers to it any more. A
    // failure frees nothing.
    let parts: &'static Parts<WORKERS, SLOTS, H> = unsafe { &*storage };
    let pool = &parts.executor;
    // No thread drops a name inside a lock, or tells a step: this would wait for itself there. The
    // figures take the lock of the free slots, the text that of the ready queue.
    on_look(Some(Box::leak(Box::new(move || {
        _ = (pool.stats(), format!("{pool:?}"));
    }))));
    let has_workers = WORKERS > 0 && !program.has_refused_starts();
    let world = Arc::new_cyclic(|world: &Weak<World<H>>| World {
        pool: parts,
        keeps_time: program.keeps_time(),
        crew: Crew::new(program.workers, submits_and_waits(world.clone())),
        lives: AtomicUsize::new(0),
        shutdowns: AtomicUsize::new(0),
        stops: AtomicUsize::new(0),
        in_scopes: Mutex::new(Vec::new()),
        has_workers,
        cancels_at_shutdown: program.cancels_at_shutdown(),
        breaks: program.breaks(),
        frees_slots: WORKERS == 0 || has_workers,
        forgettable: AtomicUsize::new(SLOTS - 1),
        accounts: StdMutex::default(),
        cancellers: Mutex::new(Vec::new()),
        wakers: Mutex::new(Vec::new()),
        alarm: Channel::new(),
        endless: Channel::new(),
        promises: Channel::new(),
    });
    world.start(&world.crew.failing(program.fails));
    let helpers = [
        {
            let world = world.clone();
            thread::spawn(move || wake_suspended(&world))
        },
        {
            let world = world.clone();
            thread::spawn(move || ask_the_endless(&world))
        },
        {
            let world = world.clone();
            thread::spawn(move || complete_promises(&world))
        },
    ];
    let mut threads = Vec::new();
    for (number, steps) in program.threads.iter().enumerate().skip(1) {
        let (world, steps) = (world.clone(), steps.clone());
        threads.push(thread::spawn(move || {
            Actor::new(world, number).play(&steps)
        }));
    }
    Actor::new(world.clone(), 0).play(&program.threads[0]);
    for thread in threads {
        thread.join().expect("a program's thread does not panic");
    }
    // Another life, if there is none: it runs what waited.
    world.start(&world.crew);
    world.pool.shutdown(Shutdown::Drain);
    world.alarm.close();
    world.endless.close();
    world.promises.close();
    for helper in helpers {
        helper.join().expect("a helper does not panic");
    }
    // Only now: a callback of a promise may begin a shutdown.
    if world.breaks {
        check_next_life(&world);
    }
    world.crew.join();
    on_look(None);
    let executor = core::ptr::from_ref(pool).addr();
    let steps = told::take(executor);
    check(&world, &steps);
    let mut stats = world.pool.stats();
    // A thread that has handed its worker over, and waits before the other thread takes it, still
    // counts for the worker, as the other thread does: one of two counts can be lost.
    if matches!(program.workers, Driven::HandedOver(_)) {
        let ended = told::completed(&steps);
        assert!(stats.completed <= ended.0 && stats.panicked <= ended.1);
        (stats.completed, stats.panicked) = ended;
    }
    told::check(&steps, &stats, program.keeps_time());
    // With its wakers and cancellers.
    drop(Arc::into_inner(world).expect("the threads have ended"));
    // SAFETY: threads, handles, wakers and cancellers are gone, but for handles that were
    // forgotten. Those are never used.
    drop(unsafe { Box::from_raw(storage) });
}

/// What a thread does that has handed its worker over: it is a submitter like others.
fn submits_and_waits<H: Clock>(world: Weak<World<H>>) -> Arc<dyn Fn() + Send + Sync> {
    Arc::new(move || {
        let world = world
            .upgrade()
            .expect("it is there until the threads have ended");
        perform(&world, Body::SubmitsAndWaits);
    })
}

/// Wakes each suspended future once.
fn wake_suspended<H: Park + 'static>(world: &World<H>) {
    // Endless for a reason: until the program ends.
    while let Some(waker) = world.alarm.receive() {
        waker.wake();
    }
}

/// Asks each task that ends only then.
fn ask_the_endless<H: Park + 'static>(world: &World<H>) {
    // Endless for a reason: until the program ends.
    while let Some((canceller, account)) = world.endless.receive() {
        ask(canceller, &account);
    }
}

fn complete_promises<H: Park + 'static>(world: &World<H>) {
    // Endless for a reason: until the program ends.
    while let Some(promised) = world.promises.receive() {
        complete(promised);
    }
}

fn complete<H: Park + 'static>(promised: Promised<H>) {
    let Promised {
        promise,
        how,
        account,
    } = promised;
    match how {
        // What is refused comes back, and is dropped here.
        Completion::Result => drop(promise.set_result(Ok(account.value()))),
        Completion::Complete => drop(promise.complete(Ok(Err(account.failure())))),
        Completion::Error => drop(promise.set_error(slotted::TaskError::Broken)),
        Completion::Drop => {}
        Completion::RunningThenResult => {
            if promise.set_running_or_notify_cancel() == Ok(true) {
                let refused = promise.set_result(Ok(account.value())).is_err();
                if refused {
                    account.fault("a running promise refuses its value".into());
                }
            }
        }
        Completion::CompleteByTwo => {
            let promise = Arc::new(promise);
            let (other, theirs) = (promise.clone(), account.clone());
            let thread = thread::spawn(move || other.set_result(Ok(theirs.value())).is_ok());
            let ours = promise.set_result(Ok(account.value())).is_ok();
            let theirs = thread.join().expect("setting a result does not panic");
            if ours && theirs {
                account.fault("a promise took two values".into());
            }
        }
    }
}

/// Checks that the life after a broken one serves.
fn check_next_life<H: Clock>(world: &Arc<World<H>>) {
    assert!(
        world.pool.start(&world.crew),
        "no life begins after the last"
    );
    let account = world.account("after the last life".into());
    let mission = Mission::new(world, &account, Body::Returns);
    account.accepted();
    let task = world.pool.submitter().submit_blocking(|| mission.run());
    let outcome = task.expect("the life takes tasks").result();
    account.see(outcome.as_ref());
    account.expect(
        outcome.is_ok(),
        "the life after a broken one does not run it",
    );
    world.pool.shutdown(Shutdown::Drain);
}

fn check<H: Clock>(world: &World<H>, steps: &[Step]) {
    // Their handles and tasks are gone: no canceller cancels anything any more.
    for (canceller, account) in with(&world.cancellers, core::mem::take) {
        if !account.is_forgotten() && canceller.cancel() {
            account.fault("a canceller of a task that is gone says that it is cancelled".into());
        }
        if !account.is_forgotten() && canceller.request_stop() {
            account.fault("a canceller of a task that is gone asks it to stop".into());
        }
    }
    let accounts = { world.accounts.lock() }.unwrap_or_else(PoisonError::into_inner);
    let forgotten = { accounts.iter() }
        .filter(|account| account.is_forgotten())
        .count();
    let stats = world.pool.stats();
    assert_eq!(stats.slots_in_use, forgotten, "slots in use: {stats:?}");
    assert!(world.pool.dates_are_over(), "a timer waits for its date");
    assert_eq!((stats.queued, stats.running), (0, 0), "{stats:?}");
    for account in accounts.iter() {
        let stops = world.stops.load(Ordering::Relaxed) > 0;
        account.check(world.is_spared(account.life()), stops, world.breaks);
    }
    if world.breaks && !world.cancels_at_shutdown {
        let is_broken = |step: &&Step| {
            let outcome = Outcome::Broken;
            matches!(step, Step::Ended { outcome: ended, .. } if *ended == outcome)
        };
        let broken = steps.iter().filter(is_broken).count();
        let lost = { accounts.iter() }
            .filter(|account| account.is_lost())
            .count();
        assert!(
            lost <= broken,
            "{lost} tasks are lost, and {broken} are broken"
        );
    }
}
