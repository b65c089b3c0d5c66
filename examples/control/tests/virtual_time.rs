//! The firmware on a desktop: half a minute of it, in virtual time, with a machine that obeys.

use core::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use core::time::Duration;

use control_firmware::{Firmware, Machine, PLAN, SETPOINT};
use slotted::{Clock, Levels, Park, Shutdown, SimHost, Simulation, Spawn, Step, Worker};

/// The simulated machine: a position that follows the actuator.
struct Simulated;

static POSITION: AtomicI32 = AtomicI32::new(0);
static SENT: AtomicU32 = AtomicU32::new(0);
static FIRMWARE: Firmware<Simulated> = Firmware::new();

impl Park for Simulated {
    type Thread = <SimHost as Park>::Thread;
    type Order = Levels<3>;
    const FAIR: bool = SimHost::FAIR;
    const KEEPS_TIME: bool = true;

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
    fn ready() {
        SimHost::ready();
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

impl Clock for Simulated {
    const TICKS_PER_SECOND: u64 = SimHost::TICKS_PER_SECOND;

    fn now() -> u64 {
        SimHost::now()
    }
    fn park_until(deadline: u64) {
        SimHost::park_until(deadline);
    }
}

impl Machine for Simulated {
    fn read_sensor() -> i32 {
        POSITION.load(Ordering::Relaxed)
    }
    fn set_actuator(value: i32) {
        // It covers a sixteenth of the way until the next time.
        let position = POSITION.load(Ordering::Relaxed);
        POSITION.store(position + (value - position) / 16, Ordering::Relaxed);
    }
    fn send(_byte: u8) {
        SENT.fetch_add(1, Ordering::Relaxed);
    }
    fn work(micros: u32) {
        SimHost::spend(Duration::from_micros(u64::from(micros)));
    }
}

/// Starts each worker for the levels that its number names.
struct Workers<'s>(&'s Simulation);

impl Spawn<Simulated> for Workers<'_> {
    type Error = std::io::Error;

    fn spawn(&self, worker: Worker<'static, Simulated>) -> Result<(), Self::Error> {
        let number = worker.index();
        self.0
            .spawn(&format!("worker {number}"), move || match number {
                2 => worker.serve::<2>().run(),
                1 => worker.serve::<1>().run(),
                _ => worker.run(),
            })
    }
}

#[test]
fn the_frame_comes_no_later_than_the_plan_says() {
    let bounds = PLAN.bounds().unwrap();
    println!("{bounds}");
    assert!(bounds.response(2).unwrap() <= Duration::from_micros(12_000));
}

#[test]
fn half_a_minute_of_the_firmware() {
    const SECONDS: u32 = 30;
    let simulation = Simulation::new();
    FIRMWARE.begin().unwrap();
    FIRMWARE.pool.start(&Workers(&simulation)).unwrap();

    // The operator stops a frame, 2 ms after it began.
    simulation.run_until(63_000_000);
    assert!(FIRMWARE.stop_frame());
    assert!(!FIRMWARE.stop_frame(), "it was asked");
    simulation.run_until(u64::from(SECONDS) * Simulated::TICKS_PER_SECOND);

    let runs = [
        &FIRMWARE.sample,
        &FIRMWARE.control,
        &FIRMWARE.communication,
        &FIRMWARE.log,
    ]
    .map(|series| (series.runs(), series.missed()));
    // The last date is that of the end.
    assert_eq!(runs[0], (SECONDS * 1000 - 1, 0));
    assert_eq!(
        runs[1..],
        [(SECONDS * 200, 0), (SECONDS * 50, 0), (SECONDS * 10, 0)]
    );
    assert_eq!(FIRMWARE.stopped.load(Ordering::Relaxed), 1);
    assert_eq!(FIRMWARE.frames.load(Ordering::Relaxed), SECONDS * 50 - 1);
    // Here the workers do not share a processor. Nothing keeps a sample waiting. The worker that
    // wakes for a date may take the sample before the control.
    assert_eq!(FIRMWARE.sample.response(), 120_000);
    assert!((900_000..=1_020_000).contains(&FIRMWARE.control.response()));
    let position = POSITION.load(Ordering::Relaxed);
    assert!((position - SETPOINT).abs() <= 16, "it is at {position}");

    FIRMWARE.pool.shutdown(Shutdown::Stop).unwrap();
    assert_eq!(FIRMWARE.pool.stats().slots_in_use, 0);
    assert!(SENT.load(Ordering::Relaxed) > 40 * (SECONDS * 50 - 1));
}
