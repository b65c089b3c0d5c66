//! What `slotted-trace` adds to a step: the same work on hosts that look at other steps. Each has a
//! cycle counter as its clock. What is told is the difference from a host that looks at none.
#![no_std]
#![no_main]

use core::hint::{black_box, spin_loop};
use core::marker::PhantomData;
use core::time::Duration;

use cortex_m::peripheral::DWT;
use cortex_m_rt::entry;
use cortex_m3_budgets::meter::{Meter, ROUNDS, Ticks, done, tell};
use panic_semihosting as _;
use slotted::{Clock, Executor, Park, Step};
use slotted_trace::{Latencies, Limits, Recorder, Watchdog};

/// What looks at a step.
trait Look: Sized + 'static {
    fn look(step: impl FnOnce() -> Step);
}

/// A board whose steps `L` looks at.
struct Board<L>(PhantomData<fn() -> L>);

impl<L: Look> Park for Board<L> {
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
    #[inline(always)]
    fn note(step: impl FnOnce() -> Step) {
        L::look(step);
    }
}

impl<L: Look> Clock for Board<L> {
    const TICKS_PER_SECOND: u64 = 25_000_000;
    #[inline(always)]
    fn now() -> u64 {
        DWT::cycle_count().into()
    }
    fn park_until(_: u64) {
        Self::park();
    }
}

type Pool<L> = Executor<0, SLOTS, 64, Board<L>>;
const SLOTS: usize = 8;
const LIMITS: Limits = Limits {
    running: Duration::from_millis(100),
    queued: Duration::from_millis(500),
};

/// Makes a host whose steps that value is told.
macro_rules! host {
    ($look:ident, $pool:ident, $watcher:expr) => {
        struct $look;
        static $pool: Pool<$look> = Executor::new();
        impl Look for $look {
            #[inline(always)]
            fn look(step: impl FnOnce() -> Step) {
                $watcher.note(Board::<$look>::now(), step());
            }
        }
    };
}

struct Nothing;
static PLAIN: Pool<Nothing> = Executor::new();
impl Look for Nothing {
    #[inline(always)]
    fn look(_: impl FnOnce() -> Step) {}
}

static RECORDER: Recorder<64> = Recorder::new();
host!(Records, RECORDED, RECORDER);
host!(RecordsToo, RECORDED_TOO, RECORDER);
static DOG: Watchdog<SLOTS, Board<Watches>> = Watchdog::new(&WATCHED, LIMITS);
host!(Watches, WATCHED, DOG);
static LATENCIES: Latencies<SLOTS> = Latencies::new(&COUNTED);
host!(Counts, COUNTED, LATENCIES);

/// What the two calls with steps take: a submit, and a run with its start and its end.
struct Cost {
    submit: u64,
    run: u64,
}

fn time<L: Look>(meter: &Meter, pool: &'static Pool<L>) -> Cost {
    let [mut submit, mut run] = [Ticks::default(); 2];
    for number in 0..ROUNDS {
        let number = black_box(number);
        let handle = submit.time(|| pool.submit(move || number.wrapping_mul(3)));
        assert!(run.time(|| pool.run_one()));
        let result = handle.ok().and_then(|mut handle| handle.try_result());
        assert!(result == Some(Ok(number.wrapping_mul(3))), "round {number}");
    }
    let each = |timed| meter.instructions(timed, u64::from(ROUNDS));
    Cost {
        submit: each(submit),
        run: each(run),
    }
}

/// Tells what the steps take beyond a host that looks at none.
fn tell_more(name: &str, cost: &Cost, plain: &Cost) {
    let submitted = cost.submit - plain.submit;
    let started_and_ended = cost.run - plain.run;
    tell(&format_args!("{name}, a submit"), submitted, "instructions");
    tell(
        &format_args!("{name}, a start and an end"),
        started_and_ended,
        "instructions",
    );
}

#[entry]
fn main() -> ! {
    let meter = Meter::new();
    let plain = time(&meter, &PLAIN);
    tell_more("Recorder", &time(&meter, &RECORDED), &plain);
    tell_more(
        "Recorder, of the second executor",
        &time(&meter, &RECORDED_TOO),
        &plain,
    );
    tell_more("Watchdog", &time(&meter, &WATCHED), &plain);
    tell_more("Latencies", &time(&meter, &COUNTED), &plain);
    let mut timed = Ticks::default();
    for _ in 0..ROUNDS {
        let well = timed.time(|| black_box(&DOG).all_well());
        assert!(well, "no task is left");
    }
    meter.tell("Watchdog::all_well, 8 slots", timed);
    let mut reader = RECORDER.reader();
    let mut timed = Ticks::default();
    for _ in 0..64 {
        let event = timed.time(|| reader.next());
        assert!(event.is_some(), "the recorder is full");
    }
    tell(
        "Reader::next",
        meter.instructions(timed, 64),
        "instructions",
    );
    tell(
        "a recorder of no event",
        size_of::<Recorder<1>>() as u64 - 16,
        "bytes",
    );
    let event = size_of::<Recorder<2>>() - size_of::<Recorder<1>>();
    tell("an event", event as u64, "bytes");
    type Dog<const QUEUE: usize> = Watchdog<QUEUE, Board<Nothing>>;
    tell("a watchdog of no slot", size_of::<Dog<0>>() as u64, "bytes");
    let slot = size_of::<Dog<1>>() - size_of::<Dog<0>>();
    tell("a slot of a watchdog", slot as u64, "bytes");
    tell(
        "latencies of no slot",
        size_of::<Latencies<0>>() as u64,
        "bytes",
    );
    let slot = size_of::<Latencies<1>>() - size_of::<Latencies<0>>();
    tell("a slot of latencies", slot as u64, "bytes");
    done();
}
