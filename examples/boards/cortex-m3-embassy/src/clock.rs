//! embassy-time's driver: SysTick counts milliseconds.

use core::cell::{Cell, RefCell};
use core::task::Waker;

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;
use critical_section::Mutex;
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

const CORE_HERTZ: u32 = 25_000_000;
const TICKS_PER_SECOND: u32 = embassy_time_driver::TICK_HZ as u32;

struct Clock {
    ticks: Mutex<Cell<u64>>,
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static CLOCK: Clock = Clock {
    ticks: Mutex::new(Cell::new(0)),
    queue: Mutex::new(RefCell::new(Queue::new())),
});

impl Driver for Clock {
    fn now(&self) -> u64 {
        critical_section::with(|section| self.ticks.borrow(section).get())
    }

    /// The next tick looks at the queue, so no alarm is to be set.
    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|section| {
            self.queue.borrow_ref_mut(section).schedule_wake(at, waker);
        });
    }
}

pub(crate) fn start(timer: &mut SYST) {
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(CORE_HERTZ / TICKS_PER_SECOND - 1);
    timer.clear_current();
    timer.enable_counter();
    timer.enable_interrupt();
}

#[exception]
fn SysTick() {
    critical_section::with(|section| {
        let now = CLOCK.ticks.borrow(section).get() + 1;
        CLOCK.ticks.borrow(section).set(now);
        CLOCK.queue.borrow_ref_mut(section).next_expiration(now);
    });
}
