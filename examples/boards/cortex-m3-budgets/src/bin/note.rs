//! All of an executor, on a host of its own. `../budgets` builds it with the default of
//! `Park::note`, with a host that is told each step and looks at none (`empty_note`), and with a
//! host that looks at each (`counting_note`). The first two must be one image, the third another.
#![no_std]
#![no_main]

use core::hint::{black_box, spin_loop};

use cortex_m as _;
use cortex_m_rt::entry;
use cortex_m3_budgets::rounds::work;
use panic_halt as _;
use slotted::{Executor, Park, Shutdown, Spawn, Worker, as_completed};

/// Like `SpinHost`.
struct Board;

impl Park for Board {
    type Thread = ();
    type Order = slotted::Fifo;
    fn current() {}
    fn current_id() -> usize {
        1
    }
    fn park() {
        spin_loop();
    }
    fn unpark((): &()) {}
    #[cfg(empty_note)]
    #[inline(always)]
    fn note(_: impl FnOnce() -> slotted::Step) {}
    #[cfg(counting_note)]
    fn note(step: impl FnOnce() -> slotted::Step) {
        black_box(step());
    }
}

static SHARED: Executor<0, 4, 64, Board> = Executor::new();
static WORKERS: Executor<1, 4, 64, Board> = Executor::new();

/// Runs the worker in the caller's thread.
struct Here;

impl Spawn<Board> for Here {
    type Error = ();
    fn spawn(&self, worker: Worker<'static, Board>) -> Result<(), ()> {
        worker.run();
        Ok(())
    }
}

/// A task in each form, and each end of one.
fn round(number: u32) -> Option<u32> {
    let pool = SHARED.submitter();
    let closure = pool.submit(move || work(number)).ok()?;
    let permit = pool.reserve().ok()?;
    permit.submit_fallible(|| Err::<(), ()>(())).ok()?.detach();
    let future = pool.submit_future(core::future::pending::<()>()).ok()?;
    closure.add_done_callback(|_| ()).ok()?;
    SHARED.run_until_idle();
    future.cancel();
    let (promise, handle) = pool.promise::<u32>().ok()?;
    promise.complete(Ok(number)).ok()?;
    let sum = as_completed([closure, handle])
        .flat_map(|each| each.result())
        .sum();
    SHARED.scope(|s| s.map([number], |n| n + 1).flatten().for_each(drop));
    SHARED.begin_shutdown(Shutdown::Cancel);
    pool.submit(|| ()).is_err().then_some(sum)
}

#[entry]
fn main() -> ! {
    black_box(round(black_box(7)));
    WORKERS.begin_shutdown(Shutdown::Drain);
    let _ = black_box(WORKERS.start(&Here));
    loop {
        spin_loop();
    }
}
