//! The firmware of a small machine: it samples, controls, communicates and logs.
//!
//! | task | period | level | takes |
//! | --- | --- | --- | --- |
//! | sample | 1 ms | 2 | 120 µs |
//! | control | 5 ms | 1 | 900 µs |
//! | communication | 20 ms | 0 | 4 ms, and can be stopped |
//! | log | 100 ms | 0 | 3 ms |
//!
//! Each is a series of a timetable. Three workers serve them: one takes level 2 only, one levels 1
//! and 2, and the last all three. On a board the first two live in interrupts, so that a sample
//! interrupts a frame. The same code runs on a desktop in virtual time.
#![no_std]
#![forbid(unsafe_code)]

use core::cell::Cell;
use core::ops::ControlFlow;
use core::time::Duration;

use critical_section::Mutex;
use portable_atomic::{AtomicI32, AtomicU32, Ordering};
use slotted::plan::{Cost, Plan, Task};
use slotted::{Canceller, Clock, Every, Executor, Levels, Park, Refusal, Release, Timetable};

/// How many workers there are. Their number says which levels they serve.
pub const WORKERS: usize = 3;
/// A slot for each series, and for two frames: the plan says that one may come before the last one
/// has ended.
pub const SLOTS: usize = 6;
const SLOT_BYTES: usize = 64;
/// A timer for each series.
const TIMERS: usize = 4;

/// The bytes of a frame.
const FRAME: u32 = 40;
/// What the machine is to reach.
pub const SETPOINT: i32 = 1000;

const fn us(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

/// The plan of it, on a Cortex-M3 at 64 MHz. [`Firmware`] does not compile if a deadline can be
/// missed there, or a slot can be missing. The frame is submitted by a task, not by an interrupt:
/// it comes as much later as that task may end.
pub const PLAN: Plan<5> = Plan::on(Cost::CORTEX_M3.at_mhz(64))
    .task(
        Task::series("sample")
            .level(2)
            .every(us(1000))
            .at_most(us(120)),
    )
    .task(
        Task::series("control")
            .level(1)
            .every(us(5000))
            .at_most(us(900)),
    )
    .task(
        Task::series("communication")
            .every(us(20_000))
            .at_most(us(50)),
    )
    .task(
        Task::event("frame")
            .every(us(20_000))
            .jitter(us(12_000))
            .at_most(us(4000))
            .deadline(us(40_000)),
    )
    .task(Task::series("log").every(us(100_000)).at_most(us(3000)))
    .workers([2, 1, 0]);

/// The machine, and the host that lends the threads.
pub trait Machine: Clock + Park<Order = Levels<3>> {
    /// Reads the sensor.
    fn read_sensor() -> i32;
    /// Drives the machine.
    fn set_actuator(value: i32);
    /// Sends a byte.
    fn send(byte: u8);
    /// Works for so long, interruptions not counted.
    fn work(micros: u32);
}

/// What a series did.
#[derive(Debug, Default)]
pub struct Series {
    runs: AtomicU32,
    missed: AtomicU32,
    /// The longest time from a release's date to its end, in ticks.
    response: AtomicU32,
}

impl Series {
    const fn new() -> Self {
        Self {
            runs: AtomicU32::new(0),
            missed: AtomicU32::new(0),
            response: AtomicU32::new(0),
        }
    }

    /// A release has done its work.
    fn ended<H: Clock>(&self, release: &Release) {
        self.runs.fetch_add(1, Ordering::Relaxed);
        self.missed.fetch_add(release.missed, Ordering::Relaxed);
        let took = H::now().saturating_sub(release.date);
        self.response
            .fetch_max(u32::try_from(took).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// How often it ran.
    pub fn runs(&self) -> u32 {
        self.runs.load(Ordering::Relaxed)
    }

    /// How many dates passed without a run.
    pub fn missed(&self) -> u32 {
        self.missed.load(Ordering::Relaxed)
    }

    /// The longest time from a release's date to its end, in ticks.
    pub fn response(&self) -> u32 {
        self.response.load(Ordering::Relaxed)
    }
}

/// The firmware: its executor, its timers, and what it knows.
pub struct Firmware<H: Machine> {
    /// Runs the tasks.
    pub pool: Executor<WORKERS, SLOTS, SLOT_BYTES, H>,
    times: Timetable<TIMERS, H>,
    /// What each series did.
    pub sample: Series,
    /// As above.
    pub control: Series,
    /// As above.
    pub communication: Series,
    /// As above.
    pub log: Series,
    /// The last sample.
    pub position: AtomicI32,
    integral: AtomicI32,
    /// Stops the frame that is under way.
    frame: Mutex<Cell<Option<Canceller<'static, H>>>>,
    /// Frames that were sent whole.
    pub frames: AtomicU32,
    /// Frames that were stopped.
    pub stopped: AtomicU32,
}

impl<H: Machine> Firmware<H> {
    /// Nothing runs yet.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it lives in a static")]
    pub const fn new() -> Self {
        const {
            PLAN.check_for(WORKERS, SLOTS);
        }
        Self {
            pool: Executor::new(),
            times: Timetable::new(),
            sample: Series::new(),
            control: Series::new(),
            communication: Series::new(),
            log: Series::new(),
            position: AtomicI32::new(0),
            integral: AtomicI32::new(0),
            frame: Mutex::new(Cell::new(None)),
            frames: AtomicU32::new(0),
            stopped: AtomicU32::new(0),
        }
    }

    /// Submits the four series. The first date of each is a millisecond from the start of the
    /// clock.
    ///
    /// # Errors
    ///
    /// If the executor is shut down.
    pub fn begin(&'static self) -> Result<(), Refusal> {
        let tasks = self.times.on(&self.pool);
        let milli = H::TICKS_PER_SECOND / 1000;
        let every = |millis: u64| Every::ticks(millis * milli).first_at(milli);
        tasks
            .level::<2>()
            .submit_every(every(1), move |release| self.sample(&release))?
            .detach();
        tasks
            .level::<1>()
            .submit_every(every(5), move |release| self.control(&release))?
            .detach();
        tasks
            .submit_every(every(20), move |release| self.communicate(&release))?
            .detach();
        tasks
            .submit_every(every(100), move |release| self.log(&release))?
            .detach();
        Ok(())
    }

    /// Makes ready what is due. The interrupt of the clock calls it.
    pub fn tick(&'static self) {
        self.times.advance();
    }

    fn sample(&self, release: &Release) -> ControlFlow<()> {
        H::work(120);
        self.position.store(H::read_sensor(), Ordering::Relaxed);
        self.sample.ended::<H>(release);
        ControlFlow::Continue(())
    }

    /// A proportional and an integral part, in integers.
    fn control(&self, release: &Release) -> ControlFlow<()> {
        H::work(900);
        let error = SETPOINT - self.position.load(Ordering::Relaxed);
        let integral = self.integral.load(Ordering::Relaxed) + error;
        self.integral.store(integral, Ordering::Relaxed);
        H::set_actuator(error / 4 + integral / 16);
        self.control.ended::<H>(release);
        ControlFlow::Continue(())
    }

    /// Sends a frame, as a task of its own: the run of a series cannot be asked to stop.
    fn communicate(&'static self, release: &Release) -> ControlFlow<()> {
        let frame = self.pool.submit_stoppable(move |stop| {
            for byte in 0..FRAME {
                if stop.requested() {
                    self.stopped.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                H::work(100);
                H::send(byte as u8); // below 256
            }
            self.frames.fetch_add(1, Ordering::Relaxed);
        });
        // It cannot be refused for lack of a slot: see `PLAN`.
        if let Ok(frame) = frame {
            let canceller = frame.canceller();
            critical_section::with(|section| {
                self.frame.borrow(section).set(Some(canceller));
            });
        }
        self.communication.ended::<H>(release);
        ControlFlow::Continue(())
    }

    fn log(&self, release: &Release) -> ControlFlow<()> {
        H::work(3000);
        self.log.ended::<H>(release);
        ControlFlow::Continue(())
    }

    /// Stops the frame that is under way, from any context. Returns false if there is none.
    pub fn stop_frame(&self) -> bool {
        let frame = critical_section::with(|section| self.frame.borrow(section).get());
        frame.is_some_and(|frame| frame.request_stop())
    }
}
