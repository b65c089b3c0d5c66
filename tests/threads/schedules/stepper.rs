//! Stops a thread after its n-th instruction, by the processor's trap flag: what only a race shows
//! is shown for every n.
//!
//! A thread that is stopped may hold a lock. So it goes on by itself, if what is to happen
//! meanwhile takes too long.

use core::cell::Cell;
use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use core::time::Duration;
use std::sync::{Mutex, Once, PoisonError};
use std::thread::{self, Thread};
use std::time::Instant;

/// How long a stopped thread waits for what happens meanwhile, once that has begun.
const PATIENCE: Duration = Duration::from_millis(20);

/// How many instructions lie between two stops that are tried: what is looked for lies between two
/// function calls, which are many more in a debug build.
pub(crate) const STRIDE: usize = if cfg!(debug_assertions) { 16 } else { 1 };

const NEVER: u64 = u64::MAX;

/// Nothing is stopped.
const RUNNING: u32 = 0;
/// The thread is stopped.
const STOPPED: u32 = 1;
/// And something happens meanwhile.
const MEANWHILE: u32 = 2;
/// It has happened, and the thread goes on.
const OVER: u32 = 3;
/// It takes too long, and the thread goes on.
const LATE: u32 = 4;

static STATE: AtomicU32 = AtomicU32::new(RUNNING);
/// The thread that plays.
static PLAYER: AtomicPtr<Thread> = AtomicPtr::new(ptr::null_mut());
/// It has run to its end.
static ENDED: AtomicBool = AtomicBool::new(false);
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

std::thread_local! {
    static STEPS: Cell<u64> = const { Cell::new(0) };
    static STOPS: Cell<[u64; 2]> = const { Cell::new([NEVER; 2]) };
}

/// The C library's `struct sigaction` on this platform.
#[repr(C)]
struct SigAction {
    handler: usize,
    mask: [u64; 16],
    flags: c_int,
    restorer: usize,
}

unsafe extern "C" {
    fn sigaction(signal: c_int, new: *const SigAction, old: *mut SigAction) -> c_int;
}

const SIGTRAP: c_int = 5;
const SA_SIGINFO: c_int = 4;
/// Where the flags of the processor are in a `ucontext_t`, in words.
const FLAGS: usize = 5 + 17;
const TRAP: u64 = 0x100;

/// Called after each instruction of a thread with the trap flag.
extern "C" fn step(_signal: c_int, _info: *mut c_void, context: *mut c_void) {
    let steps = STEPS.get();
    STEPS.set(steps + 1);
    let [first, second] = STOPS.get();
    if steps != first {
        return;
    }
    STOPS.set([second, NEVER]);
    stop();
    if second == NEVER {
        // SAFETY: the kernel passes a `ucontext_t`, of which this is a part.
        let flags = unsafe { context.cast::<u64>().add(FLAGS) };
        // SAFETY: as above; the return from here restores it.
        unsafe { *flags &= !TRAP };
    }
}

fn stop() {
    if STATE
        .compare_exchange(RUNNING, STOPPED, Ordering::SeqCst, Ordering::SeqCst)
        .is_err()
    {
        return; // what is to happen first still does
    }
    wake_the_player();
    while STATE.load(Ordering::SeqCst) == STOPPED {
        thread::yield_now();
    }
    let begin = Instant::now();
    while STATE.load(Ordering::SeqCst) == MEANWHILE && begin.elapsed() < PATIENCE {
        thread::yield_now();
    }
    let late = STATE.compare_exchange(MEANWHILE, LATE, Ordering::SeqCst, Ordering::SeqCst);
    if late.is_err() {
        STATE.store(RUNNING, Ordering::SeqCst);
    }
}

fn wake_the_player() {
    // SAFETY: `play` is not over, and lives as long as it stands there.
    unsafe { &*PLAYER.load(Ordering::SeqCst) }.unpark();
}

/// From here on the calling thread is stopped after so many instructions: once or twice.
pub(crate) fn stop_after(first: u64, second: Option<u64>) {
    static HANDLER: Once = Once::new();
    HANDLER.call_once(|| {
        let action = SigAction {
            handler: step as extern "C" fn(c_int, *mut c_void, *mut c_void) as usize,
            mask: [0; 16],
            flags: SA_SIGINFO,
            restorer: 0,
        };
        let mut old = MaybeUninit::<SigAction>::uninit();
        // SAFETY: both are what the C library expects on this platform.
        let result = unsafe { sigaction(SIGTRAP, &raw const action, old.as_mut_ptr()) };
        assert_eq!(result, 0);
    });
    STEPS.set(0);
    STOPS.set([first, second.unwrap_or(NEVER)]);
    // SAFETY: sets a flag of the processor, by way of a stack that is left as it was.
    unsafe { core::arch::asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq") };
}

/// The calling thread is stopped no more.
pub(crate) fn stop_no_more() {
    // SAFETY: as above.
    unsafe { core::arch::asm!("pushfq", "and qword ptr [rsp], -257", "popfq") };
    STOPS.set([NEVER; 2]);
}

/// Runs a test while no other one plays.
pub(crate) fn alone(test: impl FnOnce()) {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    test();
}

/// Runs `act` in a thread of its own, and each of `meanwhile` here while that thread is stopped.
/// `act` says by [`stop_after`] when that is. Returns how often it was stopped. To be called
/// [`alone`].
pub(crate) fn play<'m>(
    act: impl FnOnce() + Send,
    meanwhile: impl IntoIterator<Item = &'m mut dyn FnMut()>,
) -> usize {
    STATE.store(RUNNING, Ordering::SeqCst);
    ENDED.store(false, Ordering::SeqCst);
    let mut player = thread::current();
    PLAYER.store(&raw mut player, Ordering::SeqCst);
    let mut meanwhile = meanwhile.into_iter();
    let mut stopped = 0;
    thread::scope(|threads| {
        let thread = threads.spawn(move || {
            act();
            stop_no_more();
            ENDED.store(true, Ordering::SeqCst);
            wake_the_player();
        });
        // Also if it panics.
        while !ENDED.load(Ordering::SeqCst) && !thread.is_finished() {
            if STATE.load(Ordering::SeqCst) != STOPPED {
                thread::park_timeout(PATIENCE);
                continue;
            }
            STATE.store(MEANWHILE, Ordering::SeqCst);
            if let Some(happens) = meanwhile.next() {
                happens();
            }
            stopped += 1;
            let over = STATE.compare_exchange(MEANWHILE, OVER, Ordering::SeqCst, Ordering::SeqCst);
            if over.is_err() {
                STATE.store(RUNNING, Ordering::SeqCst); // it was late
            }
        }
        thread.join().unwrap();
    });
    stopped
}
