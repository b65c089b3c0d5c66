//! Random programs in virtual time, under seeded orders of threads. A task that is lost, or a
//! worker that sleeps while it could take one, ends in a wait that nothing ends: the simulation
//! panics there.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;

use slotted::{Executor, Shutdown, SimHost, Simulation};

use super::{SimLevels, Tied, leaked};

/// Numbers that a seed decides.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ mixed >> 31) % bound
    }
}

/// Submits, cancels, raises and takes results, and yields in between. Counts the tasks that it
/// submitted and did not cancel.
fn submitter(pool: &'static Executor<3, 12, 64, SimLevels>, seed: u64, ran: &'static AtomicUsize) {
    let mut numbers = Numbers(seed);
    let mut expected = 0;
    let mut handles = Vec::new();
    for _ in 0..12 {
        let micros = numbers.below(3);
        let task = move || {
            SimHost::spend(Duration::from_micros(micros));
            ran.fetch_add(1, Ordering::Relaxed);
        };
        let submitted = match numbers.below(3) {
            0 => pool.submit(task),
            1 => pool.level::<1>().submit(task),
            _ => pool.level::<2>().submit(task),
        };
        if let Ok(handle) = submitted {
            expected += 1;
            handles.push(handle);
        }
        match numbers.below(8) {
            0 => SimHost::spend(Duration::from_micros(numbers.below(4))),
            1 => {
                if let Some(handle) = handles.pop() {
                    expected -= usize::from(handle.cancel());
                }
            }
            2 => {
                if let Some(handle) = handles.last() {
                    handle.raise::<2>();
                }
            }
            3 => {
                if let Some(handle) = handles.pop() {
                    handle.result().unwrap();
                }
            }
            4 => SimHost::let_others_run(),
            _ => {}
        }
    }
    // All of them end, whatever the others do.
    for handle in handles {
        handle.result().unwrap();
    }
    COUNTED.fetch_add(expected, Ordering::Relaxed);
}

static COUNTED: AtomicUsize = AtomicUsize::new(0);

#[test]
fn no_task_is_lost_and_no_worker_sleeps_beside_a_task_that_it_serves() {
    static ENDS: Executor<0, 1, 64, SimHost> = Executor::new();
    static RAN: AtomicUsize = AtomicUsize::new(0);
    let seeds = if cfg!(miri) { 0..2 } else { 0..400 };
    let pool = leaked::<3, 12>();
    Simulation::check_seeds(seeds, |simulation| {
        RAN.store(0, Ordering::Relaxed);
        COUNTED.store(0, Ordering::Relaxed);
        pool.start(&Tied(simulation)).unwrap();
        static SEED: AtomicUsize = AtomicUsize::new(0);
        let seed = SEED.fetch_add(1, Ordering::Relaxed) as u64;
        let (ends, ended) = ENDS.promise::<()>().unwrap();
        simulation
            .spawn("other", move || {
                submitter(pool, seed * 2 + 1, &RAN);
                ends.complete(Ok(())).unwrap();
            })
            .unwrap();
        submitter(pool, seed * 2, &RAN);
        ended.result().unwrap();
        pool.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(RAN.load(Ordering::Relaxed), COUNTED.load(Ordering::Relaxed));
        assert_eq!(pool.stats().slots_in_use, 0);
    });
}
