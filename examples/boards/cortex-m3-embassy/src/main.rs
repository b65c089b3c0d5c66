//! slotted beside embassy on a Cortex-M3 (QEMU's mps2-an385): `cargo run --release`.
//!
//! embassy's tasks run in an interrupt. The super-loop below does the heavy work, which they await
//! with a time limit. A task of slotted awaits a timer of embassy, and a worker of slotted is a
//! task of embassy. There is no tick: the board sleeps until the next date of embassy's tasks.
#![no_std]
#![no_main]

mod clock;

use core::fmt::Write;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use cortex_m_host::{Line, MPS2_TIMER};
use cortex_m_rt::{entry, exception};
use cortex_m_semihosting::{debug, hio};
use embassy_executor::{InterruptExecutor, SendSpawner, SpawnError};
use embassy_futures::yield_now;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use panic_semihosting as _;
use slotted::{Executor, Ran, Shutdown, Spawn, SpinHost, Worker};

/// embassy's tasks, in an interrupt.
static EMBASSY: InterruptExecutor = InterruptExecutor::new();
/// The heavy work, in the super-loop.
static WORK: Executor<0, 8, 160, SpinHost> = Executor::new();
/// Short work, in a task of embassy.
static SHORT: Executor<1, 4, 64, SpinHost> = Executor::new();

static HEARTBEATS: AtomicU32 = AtomicU32::new(0);
static FINISHED: AtomicBool = AtomicBool::new(false);

/// How often the super-loop fell asleep.
static SLEEPS: AtomicU32 = AtomicU32::new(0);

/// A line of the interrupt controller that no device drives.
const LINE: Line = Line(31);

#[exception]
unsafe fn DefaultHandler(line: i16) {
    match Line(line as u16) {
        MPS2_TIMER => clock::on_timer(),
        // SAFETY: this is the handler of the line that `main` starts the executor with.
        LINE => unsafe { EMBASSY.on_interrupt() },
        other => panic!("an interrupt of {other:?}"),
    }
}

/// Keeps the super-loop busy.
fn compute(duration: Duration) -> u64 {
    let began = Instant::now();
    while began.elapsed() < duration {}
    42
}

#[derive(Debug, PartialEq)]
enum Failure {
    NoSlot,
    TooLate,
    Task,
}

/// Has the super-loop compute for `duration`, and waits for at most `limit`.
async fn computed(duration: Duration, limit: Duration) -> Result<u64, Failure> {
    let job = WORK
        .submit(move || compute(duration))
        .map_err(|_| Failure::NoSlot)?;
    with_timeout(limit, job.cancel_on_drop())
        .await
        .map_err(|_| Failure::TooLate)?
        .map_err(|_| Failure::Task)
}

#[embassy_executor::task]
async fn work(mut worker: Worker<'static, SpinHost>) {
    loop {
        worker.ready().await;
        if worker.run_one() == Ran::Left {
            return; // the executor is shut down
        }
        yield_now().await; // embassy's other tasks take their turns
    }
}

/// Starts workers as tasks of embassy.
struct Embassy(SendSpawner);

impl Spawn<SpinHost> for Embassy {
    type Error = SpawnError;

    fn spawn(&self, worker: Worker<'static, SpinHost>) -> Result<(), SpawnError> {
        self.0.spawn(work(worker)?);
        Ok(())
    }
}

#[embassy_executor::task]
async fn heart() {
    loop {
        Timer::after_millis(10).await;
        HEARTBEATS.fetch_add(1, Ordering::Relaxed);
    }
}

#[embassy_executor::task]
async fn scenarios(spawner: SendSpawner) {
    let mut out = hio::hstdout().expect("the emulator has a console");
    let mut check = |what: &str, good: bool| {
        assert!(good, "{what}");
        writeln!(out, "ok {what}").expect("the console takes it");
    };
    let ms = Duration::from_millis;

    check(
        "a result in time",
        computed(ms(20), ms(500)).await == Ok(42),
    );

    let before = HEARTBEATS.load(Ordering::Relaxed);
    let long = computed(ms(200), ms(500)).await;
    let beats = HEARTBEATS.load(Ordering::Relaxed) - before;
    check(
        "embassy's tasks run on during heavy work",
        long == Ok(42) && beats >= 15,
    );

    let heavy = WORK.submit(|| compute(Duration::from_millis(200)));
    let late = computed(ms(20), ms(50)).await;
    check(
        "a time limit cancels what has not started",
        late == Err(Failure::TooLate) && WORK.stats().cancelled == 1,
    );
    check("the heavy work ends", heavy.expect("a slot").await.is_ok());

    let permit = WORK.reserve_async().await.expect("a slot");
    let sum = permit.submit(|| 1 + 2).expect("the slot is held");
    check("a slot is awaited", sum.await == Ok(3));

    let timed = WORK.submit_future(async {
        let began = Instant::now();
        Timer::after_millis(30).await;
        began.elapsed()
    });
    let slept = timed.expect("a slot").await.expect("it is not cancelled");
    check(
        "a task of slotted awaits embassy's timer",
        slept >= ms(30) && slept < ms(40),
    );

    let started = SHORT.start(&Embassy(spawner));
    let product = SHORT.submit(|| 6 * 7).expect("a slot").await;
    SHORT.begin_shutdown(Shutdown::Drain);
    check(
        "a worker lives in a task of embassy",
        started.is_ok() && product == Ok(42),
    );

    let counts = || [&HEARTBEATS, &clock::INTERRUPTS, &SLEEPS].map(|c| c.load(Ordering::Relaxed));
    let before = counts();
    Timer::after_secs(60).await;
    let after = counts();
    let [beats, interrupts, sleeps] = core::array::from_fn(|count| after[count] - before[count]);
    check(
        "asleep between the dates of embassy's tasks, without a tick",
        (5_800..=6_000).contains(&beats)
            && interrupts <= beats + 2
            && (1..=interrupts).contains(&sleeps),
    );
    FINISHED.store(true, Ordering::Relaxed);
}

#[entry]
fn main() -> ! {
    clock::start();
    let spawner = EMBASSY.start(LINE);
    spawner.spawn(heart().expect("it is the first"));
    spawner.spawn(scenarios(spawner).expect("it is the first"));

    while !FINISHED.load(Ordering::Relaxed) {
        while WORK.run_one() {}
        // An interrupt that comes after the look ends the sleep, and runs after it.
        cortex_m::interrupt::free(|_| {
            if WORK.stats().queued == 0 && !FINISHED.load(Ordering::Relaxed) {
                SLEEPS.fetch_add(1, Ordering::Relaxed);
                cortex_m::asm::wfi();
            }
        });
    }
    debug::exit(debug::EXIT_SUCCESS);
    unreachable!("the emulator has ended");
}
