//! embassy-time's driver: a timer of the chip, without a tick. Its interrupt comes at the dates of
//! embassy's tasks.

use core::cell::RefCell;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::Waker;

use cortex_m::peripheral::NVIC;
use cortex_m_host::{MPS2_TIMER, Mps2, Mps2Timer};
use critical_section::Mutex;
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;
use slotted::Clock as _;

/// The timer's counts in a tick of embassy.
const PER_TICK: u64 = Mps2::TICKS_PER_SECOND / embassy_time_driver::TICK_HZ;

/// How often the timer has interrupted.
pub(crate) static INTERRUPTS: AtomicU32 = AtomicU32::new(0);

struct Clock {
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static CLOCK: Clock = Clock {
    queue: Mutex::new(RefCell::new(Queue::new())),
});

impl Clock {
    /// Wakes what is due, and sets the alarm to the next date.
    fn wake_due(&self, queue: &mut Queue) {
        let next = queue.next_expiration(self.now());
        // The largest date means that there is none.
        Mps2::set_alarm((next != u64::MAX).then(|| next.saturating_mul(PER_TICK)));
    }
}

impl Driver for Clock {
    fn now(&self) -> u64 {
        Mps2::now() / PER_TICK
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|section| {
            let mut queue = self.queue.borrow_ref_mut(section);
            if queue.schedule_wake(at, waker) {
                self.wake_due(&mut queue);
            }
        });
    }
}

pub(crate) fn start() {
    Mps2Timer::start(0);
    Mps2::start_clock();
    // SAFETY: no critical section depends on this interrupt.
    unsafe { NVIC::unmask(MPS2_TIMER) };
}

/// The handler of the timer's interrupt.
pub(crate) fn on_timer() {
    INTERRUPTS.fetch_add(1, Ordering::Relaxed);
    Mps2::on_timer();
    critical_section::with(|section| CLOCK.wake_due(&mut CLOCK.queue.borrow_ref_mut(section)));
}
