//! embassy-time: the caller spawns a task that waits for a date, the date comes, the task runs, and
//! a signal brings the result.

use core::cell::RefCell;
use core::hint::black_box;
use core::task::Waker;

use critical_section::Mutex;
use embassy_executor::Spawner;
use embassy_executor::raw::Executor;
use embassy_time::{Instant, Timer};
use embassy_time_driver::{Driver, time_driver_impl};
use embassy_time_queue_utils::Queue;
use slotted::Clock as _;

use super::embassy::{RESULT, executor};
use super::slotted_timer::Board;
use super::work;

/// The driver that the documentation of embassy-time-driver proposes, with the clock of the
/// timetable's programs. The alarm is no hardware, as there.
struct Clock {
    queue: Mutex<RefCell<Queue>>,
}

time_driver_impl!(static CLOCK: Clock = Clock {
    queue: Mutex::new(RefCell::new(Queue::new())),
});

impl Driver for Clock {
    fn now(&self) -> u64 {
        Board::now()
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|token| {
            let mut queue = self.queue.borrow_ref_mut(token);
            if queue.schedule_wake(at, waker) {
                // An alarm needs the date, so the compiler may not leave it out.
                black_box(queue.next_expiration(self.now()));
            }
        });
    }
}

/// What the alarm's interrupt does: it wakes what is due. Returns the next date.
pub fn alarm() -> u64 {
    critical_section::with(|token| {
        CLOCK
            .queue
            .borrow_ref_mut(token)
            .next_expiration(Board::now())
    })
}

/// Waits for a date, then works.
#[embassy_executor::task]
pub async fn task(number: u32, date: u64) {
    Timer::at(Instant::from_ticks(date)).await;
    RESULT.signal(work(number));
}

/// The result of [`task`], if it has ended.
pub fn result() -> Option<u32> {
    RESULT.try_take()
}

/// The other timers: each belongs to a task that waits for a date which does not come.
#[embassy_executor::task(pool_size = 63)]
async fn other(date: u64) {
    Timer::at(Instant::from_ticks(date)).await;
}

/// Spawns a task for each date, and polls it, so that it waits.
///
/// # Panics
///
/// If there are more than 63 in all.
pub fn wait_for(executor: &'static Executor, dates: impl Iterator<Item = u64>) {
    let spawner = executor.spawner();
    for date in dates {
        spawner.spawn(other(date).expect("there is room"));
    }
    poll(executor);
}

/// Polls the tasks that are ready.
pub fn poll(executor: &'static Executor) {
    // SAFETY: this is the only thread, and no task polls.
    unsafe { executor.poll() };
}

/// Spawns [`task`], and polls it, so that it waits for its date. Returns `None` if it is not free.
pub fn submit_at(
    executor: &'static Executor,
    spawner: Spawner,
    number: u32,
    date: u64,
) -> Option<()> {
    spawner.spawn(task(number, date).ok()?);
    poll(executor);
    Some(())
}

/// Spawns a task for the next tick, moves the clock, polls the task, takes its result.
pub fn start() -> impl FnMut(u32) -> Option<u32> {
    let executor = executor();
    let spawner = executor.spawner();
    move |number| {
        submit_at(executor, spawner, number, u64::from(number) + 1)?;
        Board::set(number + 1);
        alarm();
        poll(executor);
        result()
    }
}
