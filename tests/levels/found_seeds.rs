//! Random programs with futures, dates, waits in tasks, async workers and restarts, under seeded
//! orders of threads, on fair and unfair hosts.

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::Arc;
use std::task::Wake;

use slotted::{
    Clock, Executor, JoinHandle, Levels, Ordered, Park, Ran, Shutdown, SimHost, Simulation, Spawn,
    Step, Submitter, Timetable, Worker,
};

/// The simulated host, which is not sure that an unparked thread runs soon.
struct Unfair;

impl Park for Unfair {
    type Thread = <SimHost as Park>::Thread;
    type Order = <SimHost as Park>::Order;
    const FAIR: bool = false;
    const KEEPS_TIME: bool = SimHost::KEEPS_TIME;
    fn current() -> Self::Thread {
        SimHost::current()
    }
    fn current_id() -> usize {
        SimHost::current_id()
    }
    fn park() {
        SimHost::park();
    }
    fn unpark(thread: &Self::Thread) {
        SimHost::unpark(thread);
    }
    fn note(step: impl FnOnce() -> Step) {
        SimHost::note(step);
    }
    fn spin(round: u32) -> bool {
        SimHost::spin(round)
    }
    fn yield_now(round: u32) -> bool {
        SimHost::yield_now(round)
    }
}

impl Clock for Unfair {
    const TICKS_PER_SECOND: u64 = SimHost::TICKS_PER_SECOND;
    fn now() -> u64 {
        SimHost::now()
    }
    fn park_until(deadline: u64) {
        SimHost::park_until(deadline);
    }
}

type On<B> = Ordered<B, Levels<3>>;
type Pool<B> = Executor<4, 12, 256, On<B>>;
type Handle<B> = JoinHandle<'static, u32, On<B>>;

struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ mixed >> 31) % bound
    }
}

struct Unpark(<SimHost as Park>::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        SimHost::unpark(&self.0);
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(SimHost::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => SimHost::park(),
        }
    }
}

/// Workers tied as `seed` says, as threads or as async tasks. Number 3 serves every level.
struct Mixed<'s>(&'s Simulation, u64);

impl<B: Park<Thread = <SimHost as Park>::Thread>> Spawn<On<B>> for Mixed<'_> {
    type Error = std::io::Error;

    fn spawn(&self, worker: Worker<'static, On<B>>) -> Result<(), Self::Error> {
        let mut numbers = Numbers(self.1 + worker.index() as u64);
        self.0
            .spawn(&format!("worker {}", worker.index()), move || {
                let floor = if worker.index() == 3 {
                    0
                } else {
                    numbers.below(3)
                };
                let mut worker = match floor {
                    0 => worker,
                    1 => worker.serve::<1>(),
                    _ => worker.serve::<2>(),
                };
                // Number 3 keeps the time.
                if worker.index() == 3 || numbers.below(2) == 0 {
                    return worker.run();
                }
                loop {
                    if numbers.below(6) == 0 {
                        // A look that is given up.
                        let mut context = Context::from_waker(Waker::noop());
                        let _ = pin!(worker.ready()).as_mut().poll(&mut context);
                    }
                    block_on(worker.ready());
                    if worker.run_one() == Ran::Left {
                        return;
                    }
                }
            })
    }
}

fn at<B: Park>(pool: &'static Pool<B>, level: u64) -> Submitter<'static, 256, On<B>> {
    match level {
        0 => pool.submitter(),
        1 => pool.level::<1>(),
        _ => pool.level::<2>(),
    }
}

async fn yields(times: u64) {
    for _ in 0..times {
        let mut has_yielded = false;
        core::future::poll_fn(|context| {
            context.waker().wake_by_ref();
            match core::mem::replace(&mut has_yielded, true) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }
}

fn play<B: Clock>(
    pool: &'static Pool<B>,
    times: &'static Timetable<4, On<B>>,
    seed: u64,
    is_last: bool,
) where
    On<B>: Clock,
{
    let mut numbers = Numbers(seed);
    // With each, whether its task waits for no other.
    let mut handles: Vec<(Handle<B>, bool)> = Vec::new();
    for _ in 0..14 {
        let level = numbers.below(3);
        let pool_at = at(pool, level);
        let micros = numbers.below(3);
        let task = move || {
            SimHost::spend(Duration::from_micros(micros));
            1
        };
        let mut is_leaf = true;
        let handle = match numbers.below(6) {
            0 => pool_at
                .submit_future(async move {
                    yields(micros).await;
                    1
                })
                .ok(),
            1 => {
                let delay = Duration::from_micros(micros);
                let times = times.on(pool);
                let times = match level {
                    0 => times,
                    1 => times.level::<1>(),
                    _ => times.level::<2>(),
                };
                times.submit_after(delay, task).ok()
            }
            2 if !handles.is_empty() => {
                let (other, _) = handles.swap_remove(numbers.below(handles.len() as u64) as usize);
                is_leaf = false;
                pool_at
                    .submit_future(async move { other.await.unwrap_or(0) })
                    .ok()
            }
            3 if !handles.is_empty() => {
                let (mut other, other_is_leaf) =
                    handles.swap_remove(numbers.below(handles.len() as u64) as usize);
                // Through another's needs it might wait for ever, as the docs say.
                let limited = !other_is_leaf || numbers.below(2) == 0;
                is_leaf = false;
                pool_at
                    .submit(move || {
                        if limited {
                            other.result_timeout(Duration::from_micros(5)).unwrap_or(0)
                        } else {
                            other.result().unwrap_or(0)
                        }
                    })
                    .ok()
            }
            _ => pool_at.submit(task).ok(),
        };
        handles.extend(handle.map(|handle| (handle, is_leaf)));
        match numbers.below(9) {
            0 => SimHost::spend(Duration::from_micros(numbers.below(4))),
            1 => {
                if let Some((handle, _)) = handles.pop() {
                    handle.cancel();
                }
            }
            2 | 3 => {
                if let Some((handle, _)) = handles.first() {
                    handle.raise::<2>();
                    handle.raise::<1>();
                }
            }
            4 => {
                if let Some((handle, _)) = handles.pop() {
                    let _ = handle.result();
                }
            }
            5 => SimHost::let_others_run(),
            _ => {}
        }
    }
    if is_last {
        return; // the shutdown begins while they wait
    }
    for (handle, _) in handles {
        let _ = handle.result();
    }
}

fn lives<B: Clock + Park<Thread = <SimHost as Park>::Thread>>()
where
    On<B>: Clock,
{
    let seeds = std::env::var("SEEDS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(300);
    let first = std::env::var("FIRST")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(0);
    for seed in first..first + seeds {
        let pool: &'static Pool<B> = Box::leak(Box::default());
        let ends: &'static Executor<0, 1, 64, SimHost> = Box::leak(Box::default());
        let times: &'static Timetable<4, On<B>> = Box::leak(Box::new(Timetable::new()));
        let played = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| {
            let simulation = Simulation::new().seed(seed);
            let mut numbers = Numbers(seed ^ 0xABCD);
            for life in 0..2 {
                pool.start(&Mixed(&simulation, numbers.below(1 << 40)))
                    .unwrap();
                let (ends, ended) = ends.promise::<()>().unwrap();
                let (other, is_last) = (numbers.below(1 << 40), numbers.below(2) == 0);
                simulation
                    .spawn("other", move || {
                        play(pool, times, other, is_last);
                        ends.complete(Ok(())).unwrap();
                    })
                    .unwrap();
                play(pool, times, numbers.below(1 << 40), is_last);
                let how = [
                    Shutdown::Drain,
                    Shutdown::Drain,
                    Shutdown::Cancel,
                    Shutdown::Stop,
                ][numbers.below(4) as usize];
                if numbers.below(2) == 0 {
                    pool.shutdown(how).unwrap();
                    ended.result().unwrap();
                } else {
                    ended.result().unwrap();
                    pool.shutdown(how).unwrap();
                }
                assert_eq!(pool.stats().slots_in_use, 0, "life {life}");
            }
        }));
        assert!(played.is_ok(), "seed {seed} {:?}", pool.stats());
    }
}

#[test]
fn lives_of_all_kinds_of_tasks_and_workers_end_on_a_fair_host() {
    lives::<SimHost>();
}

#[test]
fn lives_of_all_kinds_of_tasks_and_workers_end_on_an_unfair_host() {
    lives::<Unfair>();
}
