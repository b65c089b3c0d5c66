//! Threads, locks and hosts: the machine's, or those of a seeded schedule.

use std::collections::VecDeque;
use std::sync::PoisonError;

use slotted::Park;

#[cfg(shuttle)]
pub(crate) use shuttle::{
    sync::{Condvar, Mutex},
    thread,
};
#[cfg(not(shuttle))]
pub(crate) use std::{
    sync::{Condvar, Mutex},
    thread,
};

/// Calls `act` inside a lock, which a panicking thread may have poisoned.
pub(crate) fn with<T, R>(mutex: &Mutex<T>, act: impl FnOnce(&mut T) -> R) -> R {
    act(&mut mutex.lock().unwrap_or_else(PoisonError::into_inner))
}

/// What one thread gives to another, in order.
pub(crate) struct Channel<T> {
    items: Mutex<(VecDeque<T>, bool)>,
    changed: Condvar,
}

impl<T> Channel<T> {
    pub(crate) fn new() -> Self {
        Self {
            items: Mutex::new((VecDeque::new(), false)),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn send(&self, item: T) {
        with(&self.items, |(items, _)| items.push_back(item));
        self.changed.notify_one();
    }

    /// After this, `receive` returns `None` when nothing is left.
    pub(crate) fn close(&self) {
        with(&self.items, |(_, closed)| *closed = true);
        self.changed.notify_one();
    }

    /// Waits for the next item.
    pub(crate) fn receive(&self) -> Option<T> {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(item) = items.0.pop_front() {
                return Some(item);
            }
            if items.1 {
                return None;
            }
            items = { self.changed.wait(items) }.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The threads of a schedule.
///
/// Not shuttle's own `park`, which may return without a permit.
#[cfg(shuttle)]
pub(crate) struct Scheduled<const FAIR: bool>;

/// Names a thread. Its destructor takes the executor's locks: it is foreign code, and no thread may
/// run it inside one of them.
#[cfg(shuttle)]
pub(crate) struct Token(std::sync::Arc<ThreadToken>);

#[cfg(shuttle)]
impl Clone for Token {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

#[cfg(shuttle)]
impl Drop for Token {
    fn drop(&mut self) {
        look();
    }
}

#[cfg(shuttle)]
std::thread_local! {
    // Not shuttle's: the schedule's threads share it.
    static ON_LOOK: core::cell::Cell<Option<&'static dyn Fn()>> =
        const { core::cell::Cell::new(None) };
}

/// Calls what [`on_look`] was given.
pub(crate) fn look() {
    #[cfg(shuttle)]
    if let Some(act) = ON_LOOK.get() {
        act();
    }
}

/// From now on, calls `act` whenever a thread drops the name of a thread, and when a host that
/// looks is told a step.
#[cfg(shuttle)]
pub(crate) fn on_look(act: Option<&'static dyn Fn()>) {
    ON_LOOK.set(act);
}

#[cfg(not(shuttle))]
pub(crate) fn on_look(_: Option<&'static dyn Fn()>) {}

/// A thread's number and its permit.
#[cfg(shuttle)]
struct ThreadToken {
    id: usize,
    permit: Mutex<bool>,
    given: Condvar,
}

#[cfg(shuttle)]
impl ThreadToken {
    fn new() -> std::sync::Arc<Self> {
        use core::sync::atomic::{AtomicUsize, Ordering};

        // Not shuttle's: a name, and no step of the schedule.
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        std::sync::Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            permit: Mutex::new(false),
            given: Condvar::new(),
        })
    }
}

#[cfg(shuttle)]
shuttle::thread_local! {
    static OWN: std::sync::Arc<ThreadToken> = ThreadToken::new();
}

#[cfg(shuttle)]
impl<const FAIR: bool> Park for Scheduled<FAIR> {
    type Thread = Token;
    type Order = slotted::Fifo;
    const FAIR: bool = FAIR;
    const KEEPS_TIME: bool = true;

    fn current() -> Self::Thread {
        Token(OWN.with(std::sync::Arc::clone))
    }

    fn current_id() -> usize {
        OWN.with(|own| own.id)
    }

    fn park() {
        let token = Self::current();
        let mut permit = token.0.permit.lock().expect("no panic");
        while !*permit {
            permit = token.0.given.wait(permit).expect("no panic");
        }
        *permit = false;
    }

    fn unpark(token: &Self::Thread) {
        *token.0.permit.lock().expect("no panic") = true;
        token.0.given.notify_one();
    }
}

#[cfg(shuttle)]
std::thread_local! {
    // As `ON_LOOK`.
    static NOW: core::cell::Cell<u64> = const { core::cell::Cell::new(0) };
}

/// A thread that sleeps until a date lets the time pass after at most so many turns of others.
#[cfg(shuttle)]
const PATIENCE: u8 = 6;

/// Time passes with each look at the clock, and when a thread sleeps until a date: the schedule
/// decides when, and so whether another thread wakes it before.
#[cfg(shuttle)]
impl<const FAIR: bool> slotted::Clock for Scheduled<FAIR> {
    const TICKS_PER_SECOND: u64 = 1_000_000;

    fn now() -> u64 {
        NOW.set(NOW.get().saturating_add(1));
        NOW.get()
    }

    fn park_until(date: u64) {
        use shuttle::rand::Rng;

        // The end of time never comes.
        if date == u64::MAX {
            return Self::park();
        }
        let token = Self::current();
        let turns = shuttle::rand::thread_rng().gen_range(0..=PATIENCE);
        for _ in 0..turns {
            if core::mem::take(&mut *token.0.permit.lock().expect("no panic")) {
                return;
            }
            thread::yield_now();
        }
        NOW.set(NOW.get().max(date));
        thread::yield_now();
    }
}

/// Waits for a future in the calling thread.
pub(crate) fn block_on<H: Park + 'static, F: Future>(future: F) -> F::Output {
    use core::task::{Context, Poll, Waker};
    use std::sync::Arc;
    use std::task::Wake;

    struct Unpark<H: Park>(H::Thread);
    impl<H: Park + 'static> Wake for Unpark<H> {
        fn wake(self: Arc<Self>) {
            H::unpark(&self.0);
        }
    }
    let waker = Waker::from(Arc::new(Unpark::<H>(H::current())));
    let mut future = core::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => H::park(),
        }
    }
}
