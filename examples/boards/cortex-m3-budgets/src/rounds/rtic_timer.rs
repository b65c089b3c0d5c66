//! RTIC: the caller spawns a software task that waits for a date, the date comes, the task runs,
//! and a variable brings the result.
//!
//! The task is what `#[rtic::app]` makes of a software task of priority 0: `main` polls it, and no
//! interrupt is pended for it.

use core::array::from_fn;
use core::future::Future;
use core::hint::black_box;
use core::mem::transmute;
use core::pin::Pin;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::{Context, Waker};

use rtic::export::executor::{
    AsyncTaskExecutor, ExecutorHolder, exec_align, exec_from_holder, exec_new, exec_size,
};
use rtic_time::timer_queue::{Delay, TimerQueue, TimerQueueBackend};
use slotted::Clock as _;
use static_cell::StaticCell;

use super::slotted_timer::Board;
use super::work;

/// The clock of the timetable's programs. The timer is no hardware, so its flag, its interrupt and
/// its compare register take nothing.
#[derive(Debug)]
pub struct Backend;

/// RTIC's queue.
pub static QUEUE: TimerQueue<Backend> = TimerQueue::new();

impl TimerQueueBackend for Backend {
    type Ticks = u64;

    fn now() -> u64 {
        Board::now()
    }

    fn set_compare(date: u64) {
        // A timer needs the date, so the compiler may not leave it out.
        black_box(date);
    }

    fn clear_compare_flag() {}

    fn pend_interrupt() {}

    fn timer_queue() -> &'static TimerQueue<Self> {
        &QUEUE
    }
}

/// What the timer's interrupt does: it wakes what is due.
pub fn alarm() {
    // SAFETY: there is no interrupt that it could disturb.
    unsafe { QUEUE.on_monotonic_interrupt() };
}

/// What the task has brought; the largest number if nothing.
static RESULT: AtomicU32 = AtomicU32::new(u32::MAX);

/// Waits for a date, then works.
async fn task(number: u32, date: u64) {
    QUEUE.delay_until(date).await;
    RESULT.store(work(number), Ordering::Relaxed);
}

static TASK: ExecutorHolder<{ exec_size(task) }, { exec_align(task) }> =
    // SAFETY: the parameters are the size and the alignment of this executor.
    unsafe { transmute(exec_new(task)) };

/// The executor: it has one task.
#[inline(always)]
fn executor() -> &'static AsyncTaskExecutor<impl Future> {
    // SAFETY: `TASK` was made for the same task.
    unsafe { exec_from_holder(task, &TASK) }
}

fn wake() {
    executor().set_pending();
}

/// The waker of the task.
pub fn waker() -> Waker {
    executor().waker(wake)
}

/// Polls the task if it is ready.
pub fn poll() {
    executor().poll(wake);
}

/// Takes the result of the task.
pub fn result() -> Option<u32> {
    let result = RESULT.load(Ordering::Relaxed);
    RESULT.store(u32::MAX, Ordering::Relaxed);
    (result != u32::MAX).then_some(result)
}

/// Spawns the task, and polls it, so that it waits for its date. Returns `None` if it is not free.
pub fn submit_at(number: u32, date: u64) -> Option<()> {
    critical_section::with(|_| {
        // SAFETY: `TASK` was made for the same task.
        let executor = unsafe { exec_from_holder(task, &TASK) };
        // SAFETY: it spawns if it has allocated.
        unsafe {
            executor
                .try_allocate()
                .then(|| executor.spawn(task(number, date)))
        }
    })?;
    poll();
    Some(())
}

/// The other timers: 63 delays, whose dates begin with this one. The program calls it once.
pub fn others(first: u64) -> impl Iterator<Item = &'static mut Delay<'static, Backend>> {
    static DELAYS: StaticCell<[Delay<'static, Backend>; 63]> = StaticCell::new();
    let delays = from_fn(|number| QUEUE.delay_until(first + number as u64));
    DELAYS.init(delays).iter_mut()
}

/// Polls a delay, so that it waits.
///
/// # Panics
///
/// If its date has come.
pub fn wait_for(delay: &'static mut Delay<'static, Backend>) {
    // SAFETY: it is borrowed for ever, so it neither moves nor ends.
    let delay = unsafe { Pin::new_unchecked(delay) };
    let waker = waker();
    assert!(delay.poll(&mut Context::from_waker(&waker)).is_pending());
}

/// Spawns a task for the next tick, moves the clock, polls the task, takes its result.
pub fn start() -> impl FnMut(u32) -> Option<u32> {
    QUEUE.initialize(Backend);
    move |number| {
        submit_at(number, u64::from(number) + 1)?;
        Board::set(number + 1);
        alarm();
        poll();
        result()
    }
}
