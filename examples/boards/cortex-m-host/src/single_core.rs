//! A chip with one core: how its threads sleep.

use core::cell::Cell;
use core::marker::PhantomData;

use cortex_m::asm::wfi;
use cortex_m::interrupt;
use critical_section::Mutex;
use host_parts::Timer;

use crate::{Chip, exception};

/// One core, whose super-loop and PendSV run workers.
///
/// A thread looks at its permit with interrupts off, and then sleeps by `wfi`. An interrupt that
/// comes after the look ends the `wfi`, and runs as soon as interrupts are on again. `wfe` has a
/// permit by itself, the core's event register. But each return from an exception sets it, and in
/// the emulator `wfe` does not wait.
#[derive(Clone, Copy, Debug)]
pub struct SingleCore<T>(PhantomData<T>);

/// A permit for each exception level: the bit of its number. The threads that park are those of the
/// exceptions below 64.
static PERMITS: Mutex<Cell<u64>> = Mutex::new(Cell::new(0));

impl<T: Timer> Chip for SingleCore<T> {
    type Timer = T;

    const PENDSV_WORKS: bool = true;

    fn core() -> usize {
        0
    }

    fn sleep(prepare: impl FnOnce()) {
        // The permit of a level that this one has interrupted stays.
        let own = 1 << (exception() % 64);
        interrupt::free(|_| {
            let was_woken = critical_section::with(|section| {
                let permits = PERMITS.borrow(section);
                permits.replace(permits.get() & !own) & own != 0
            });
            if !was_woken {
                prepare();
                wfi();
            }
        });
    }

    fn wake() {
        critical_section::with(|section| PERMITS.borrow(section).set(u64::MAX));
    }
}
