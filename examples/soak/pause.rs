//! A future that is suspended a few times, and the thread that wakes it.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};

use crate::posts;

/// So many wakers wait for the ringer at most. A future that finds no room wakes itself.
const WAITING: usize = 64;
/// So many old wakers are kept, to be called long after their tasks ended.
const OLD: usize = 256;

/// Wakers on their way from futures to the ringer.
struct Bell {
    waiting: VecDeque<Waker>,
    over: bool,
}

static BELL: Mutex<Bell> = Mutex::new(Bell {
    waiting: VecDeque::new(),
    over: false,
});
static RUNG: Condvar = Condvar::new();

/// Suspended so many times. A call of an old waker shortens it: a future must bear that.
pub(crate) struct Pause(u8);

impl Pause {
    pub(crate) fn new(times: u8) -> Self {
        Self(times)
    }
}

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        // Every other time another thread wakes it, else it wakes itself.
        if self.0 % 2 == 1 || !hand_over(context.waker()) {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

/// Gives a clone of the waker to the ringer. Returns false if there is no room.
fn hand_over(waker: &Waker) -> bool {
    let waker = waker.clone();
    let mut bell = BELL.lock().unwrap_or_else(PoisonError::into_inner);
    let has_room = bell.waiting.len() < WAITING && !bell.over;
    if has_room {
        bell.waiting.push_back(waker);
        RUNG.notify_one();
    }
    has_room
}

/// Wakes futures, each soon and once more much later, until [`stop`].
pub(crate) fn ring(mut random: fastrand::Rng) {
    let mut old = VecDeque::with_capacity(OLD);
    // Endless for a reason: `stop` ends it.
    while let Some(waker) = next() {
        posts::note("wakes a future");
        waker.wake_by_ref();
        if old.len() == OLD {
            old.pop_front();
        }
        old.push_back(waker);
        let late: &Waker = &old[random.usize(..old.len())];
        late.wake_by_ref();
        // A clone of a waker whose task may be long gone.
        if random.bool() {
            let clone = late.clone();
            posts::note("wakes a future long after");
            clone.wake();
        }
        posts::note("has woken a future");
    }
}

/// Waits for a waker. `None`: the run is over.
fn next() -> Option<Waker> {
    let bell = BELL.lock().unwrap_or_else(PoisonError::into_inner);
    let mut bell = RUNG
        .wait_while(bell, |bell| bell.waiting.is_empty() && !bell.over)
        .unwrap_or_else(PoisonError::into_inner);
    bell.waiting.pop_front()
}

/// Ends the ringer, when no future is left.
pub(crate) fn stop() {
    BELL.lock().unwrap_or_else(PoisonError::into_inner).over = true;
    RUNG.notify_one();
}
