//! Measures requests to a closure that runs, and its looks at them.
#![no_std]
#![no_main]

use core::cell::RefCell;
use core::hint::black_box;

use cortex_m_rt::entry;
use cortex_m3_budgets::meter::{Meter, ROUNDS, Ticks, done, tell};
use cortex_m3_budgets::rounds::work;
use critical_section::Mutex;
use panic_semihosting as _;
use slotted::{Executor, JoinHandle, SpinHost, Stop};

static EXECUTOR: Executor<0, 8, 16, SpinHost> = Executor::new();

/// The handle of the closure that runs, and what its parts took.
struct Scene {
    handle: Option<JoinHandle<'static, u32, SpinHost>>,
    asks: Asks,
    look: Ticks,
    by_handle: Ticks,
    by_canceller: Ticks,
    again: Ticks,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    Handle,
    Canceller,
}

static SCENE: Mutex<RefCell<Scene>> = Mutex::new(RefCell::new(Scene {
    handle: None,
    asks: Asks::Handle,
    look: Ticks::ZERO,
    by_handle: Ticks::ZERO,
    by_canceller: Ticks::ZERO,
    again: Ticks::ZERO,
}));

fn with_scene<R>(act: impl FnOnce(&mut Scene) -> R) -> R {
    critical_section::with(|section| act(&mut SCENE.borrow_ref_mut(section)))
}

/// Is asked to stop, by itself, and looks before and after.
fn asked(number: u32, stop: &Stop) -> u32 {
    with_scene(|scene| {
        let Some(handle) = &scene.handle else {
            panic!("its handle is there");
        };
        assert!(!scene.look.time(|| stop.requested()));
        let first = match scene.asks {
            Asks::Handle => scene.by_handle.time(|| handle.request_stop()),
            Asks::Canceller => {
                let canceller = black_box(handle.canceller());
                scene.by_canceller.time(|| canceller.request_stop())
            }
        };
        assert!(first && stop.requested() && handle.stop_requested());
        assert!(!scene.again.time(|| handle.request_stop()));
    });
    work(number)
}

#[entry]
fn main() -> ! {
    let meter = Meter::new();
    let mut submit = Ticks::default();
    for number in 0..ROUNDS {
        for asks in [Asks::Handle, Asks::Canceller] {
            let number = black_box(number);
            let handle = submit
                .time(|| EXECUTOR.submit_stoppable(move |stop| asked(number, stop)))
                .expect("there is room");
            with_scene(|scene| {
                scene.handle = Some(handle);
                scene.asks = asks;
            });
            assert!(EXECUTOR.run_one());
            let handle = with_scene(|scene| scene.handle.take());
            assert!(handle.is_some_and(|handle| handle.result() == Ok(work(number))));
        }
    }
    with_scene(|scene| {
        let rounds = u64::from(ROUNDS);
        for (name, ticks, times) in [
            ("submit_stoppable alone", submit, 2 * rounds),
            ("Stop::requested", scene.look, 2 * rounds),
            ("request_stop", scene.by_handle, rounds),
            ("Canceller::request_stop", scene.by_canceller, rounds),
            ("request_stop, not the first", scene.again, 2 * rounds),
        ] {
            tell(name, meter.instructions(ticks, times), "instructions");
        }
    });
    done();
}
