//! Measures a future that is woken, polled, and suspended again.
#![no_std]
#![no_main]

use core::cell::RefCell;
use core::future::poll_fn;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::{Poll, Waker};

use cortex_m_rt::entry;
use cortex_m3_budgets::meter::{Meter, done};
use critical_section::Mutex;
use panic_semihosting as _;
use slotted::{Executor, Shutdown, SpinHost};

static EXECUTOR: Executor<0, 8, 32, SpinHost> = Executor::new();
static WAKER: Mutex<RefCell<Option<Waker>>> = Mutex::new(RefCell::new(None));
static POLLS: AtomicU32 = AtomicU32::new(0);

#[entry]
fn main() -> ! {
    let meter = Meter::new();
    let rests = poll_fn(|context| {
        // Only in the first poll: the cost of storing a waker is the driver's.
        if POLLS.fetch_add(1, Ordering::Relaxed) == 0 {
            critical_section::with(|section| {
                WAKER
                    .borrow_ref_mut(section)
                    .replace(context.waker().clone())
            });
        }
        Poll::<()>::Pending
    });
    let handle = EXECUTOR.submit_future(rests).expect("there is room");
    assert!(EXECUTOR.run_one() && !EXECUTOR.run_one());
    let waker = critical_section::with(|section| WAKER.borrow_ref_mut(section).take())
        .expect("it was polled");

    let round = |_| {
        waker.wake_by_ref();
        EXECUTOR.run_one();
        POLLS.load(Ordering::Relaxed)
    };
    meter.measure("wake, poll, rest", round, |number| number + 2);
    EXECUTOR.begin_shutdown(Shutdown::Cancel);
    assert!(handle.cancelled());
    done();
}
