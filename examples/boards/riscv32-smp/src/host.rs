//! A host for `slotted` on the harts of a RISC-V chip with a CLINT, to be copied.
//!
//! - A hart sleeps by `wfi` and is woken by its software interrupt. The permit is the CLINT's `msip` bit of that hart. It is enabled
//!   only while the hart sleeps, with interrupts off, so that it ends the `wfi` and never traps.
//! - Each hart is a thread, and so is the interrupt level of each.
//! - The clock is the CLINT's `mtime`. One hart, [`TICKING`], has a periodic interrupt; each of the others has its timer for its own deadlines.
//! - [`Workers`] gives worker number n to hart n.

use core::arch::asm;
use core::cell::Cell;
use core::convert::Infallible;
use core::ptr::with_exposed_provenance_mut;

use critical_section::{Mutex, RawRestoreState};
use portable_atomic::{AtomicBool, AtomicUsize, Ordering};
use riscv::register::{mhartid, mie, mstatus};
use slotted::{Clock, Park, Ran, Spawn, Worker};

/// How many harts there are.
pub(crate) const HARTS: usize = 4;
/// The hart with a periodic interrupt.
pub(crate) const TICKING: usize = HARTS - 1;

const CLINT: usize = 0x0200_0000;

/// Writes a register of the CLINT, after all that was written before.
fn write_clint(offset: usize, value: u32) {
    // SAFETY: orders memory and devices, and touches nothing.
    unsafe { asm!("fence iorw, iorw", options(nostack, preserves_flags)) };
    // SAFETY: the callers name registers of the CLINT, which are not memory to Rust.
    unsafe { with_exposed_provenance_mut::<u32>(CLINT + offset).write_volatile(value) };
    // SAFETY: as above.
    unsafe { asm!("fence iorw, iorw", options(nostack, preserves_flags)) };
}

fn read_clint(offset: usize) -> u32 {
    // SAFETY: the callers name registers of the CLINT, and reading them changes nothing.
    unsafe { with_exposed_provenance_mut::<u32>(CLINT + offset).read_volatile() }
}

fn set_software_interrupt(hart: usize, pending: bool) {
    write_clint(4 * hart, u32::from(pending));
}

/// Has the timer interrupt of a hart pend from `time` on.
fn set_timer(hart: usize, time: u64) {
    let register = 0x4000 + 8 * hart;
    // Never earlier than meant: the upper half is at its end while the lower half changes.
    write_clint(register + 4, u32::MAX);
    write_clint(register, time as u32);
    write_clint(register + 4, (time >> 32) as u32);
}

/// Lets a hart out of the `_mp_hook` it waits in, or out of `wfi`.
pub(crate) fn wake(hart: usize) {
    set_software_interrupt(hart, true);
}

/// Which harts are in an interrupt handler.
static INTERRUPTED: [AtomicBool; HARTS] = [const { AtomicBool::new(false) }; HARTS];

/// The handler of the timer interrupt of [`TICKING`]: `handle`, each millisecond, as a thread of its own.
pub(crate) fn tick(handle: impl FnOnce()) {
    let hart = mhartid::read();
    INTERRUPTED[hart].store(true, Ordering::Relaxed); // read by this hart alone
    set_timer(hart, Clint::now() + Clint::TICKS_PER_SECOND / 1000);
    handle();
    INTERRUPTED[hart].store(false, Ordering::Relaxed); // as above
}

/// To be called once by each hart. From then on there may be interrupts.
pub(crate) fn enable_interrupts() {
    if mhartid::read() == TICKING {
        set_timer(TICKING, 0);
        // SAFETY: there is a handler for it.
        unsafe { mie::set_mtimer() };
    }
    // SAFETY: no critical section is open.
    unsafe { riscv::interrupt::enable() };
}

/// The host: harts and their CLINT.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clint;

impl Clint {
    /// Sleeps until the software interrupt of this hart pends, or another one that is enabled does.
    fn sleep(hart: usize) {
        riscv::asm::wfi();
        set_software_interrupt(hart, false);
    }
}

/// Calls `act` with the number of this hart, interrupts off and its software interrupt enabled: it ends a `wfi`, but does not trap.
fn with_wake_up(act: impl FnOnce(usize)) {
    riscv::interrupt::free(|| {
        // SAFETY: interrupts are off.
        unsafe { mie::set_msoft() };
        act(mhartid::read());
        // SAFETY: as above.
        unsafe { mie::clear_msoft() };
    });
}

impl Park for Clint {
    /// The number of a hart.
    type Thread = usize;

    fn current() -> usize {
        mhartid::read()
    }

    fn current_id() -> usize {
        let hart = mhartid::read();
        let interrupted = INTERRUPTED[hart].load(Ordering::Relaxed); // this hart's own store
        1 + hart + if interrupted { HARTS } else { 0 }
    }

    fn park() {
        with_wake_up(Self::sleep);
    }

    fn unpark(&hart: &usize) {
        wake(hart);
    }
}

impl Clock for Clint {
    const TICKS_PER_SECOND: u64 = 10_000_000;

    fn now() -> u64 {
        loop {
            let high = read_clint(0xbffc);
            let low = read_clint(0xbff8);
            // Bound: the lower half goes over its end once in seven minutes.
            if high == read_clint(0xbffc) {
                return u64::from(high) << 32 | u64::from(low);
            }
        }
    }

    fn park_until(deadline: u64) {
        with_wake_up(|hart| {
            // The periodic interrupt is early enough for any deadline.
            if hart == TICKING {
                return Self::sleep(hart);
            }
            set_timer(hart, deadline);
            // SAFETY: interrupts are off.
            unsafe { mie::set_mtimer() };
            Self::sleep(hart);
            // SAFETY: as above.
            unsafe { mie::clear_mtimer() };
        });
    }
}

/// The workers, one for each hart.
pub(crate) struct Workers {
    places: [Mutex<Cell<Option<Worker<Clint>>>>; HARTS],
}

impl Workers {
    pub(crate) const fn new() -> Self {
        Self { places: [const { Mutex::new(Cell::new(None)) }; HARTS] }
    }

    /// Has the calling hart's worker run the oldest task, if there is one. For the hart that has other things to do.
    pub(crate) fn run_one(&self) -> Ran {
        let place = &self.places[mhartid::read()];
        // Tasks run outside the critical section.
        let Some(mut worker) = critical_section::with(|section| place.borrow(section).take()) else { return Ran::Left };
        let ran = worker.run_one();
        if ran != Ran::Left {
            critical_section::with(|section| place.borrow(section).set(Some(worker)));
        }
        ran
    }

    /// Runs each worker that the calling hart is given. For harts that do nothing else.
    pub(crate) fn run(&self) -> ! {
        loop {
            match critical_section::with(|section| self.places[mhartid::read()].borrow(section).take()) {
                Some(worker) => worker.run(),
                None => Clint::park(),
            }
        }
    }
}

impl Spawn<Clint> for Workers {
    type Error = Infallible;

    fn spawn(&self, worker: Worker<Clint>) -> Result<(), Infallible> {
        let hart = worker.index();
        // A worker that no hart is there for is dropped: the executor then has one less.
        if let Some(place) = self.places.get(hart) {
            drop(critical_section::with(|section| place.borrow(section).replace(Some(worker))));
            wake(hart);
        }
        Ok(())
    }
}

/// Interrupts off on this hart, and a spin lock between harts that knows its owner.
struct AcrossHarts;
critical_section::set_impl!(AcrossHarts);

/// The number of the hart in the critical section, and one; 0: none is.
static OWNER: AtomicUsize = AtomicUsize::new(0);

/// Interrupts were on before.
const INTERRUPTIBLE: RawRestoreState = 1;
/// The hart was in the section before.
const NESTED: RawRestoreState = 2;

// SAFETY: with interrupts off nothing else runs on this hart, and only one hart's number is in `OWNER`. Acquire and Release
// order what the sections of different harts see.
unsafe impl critical_section::Impl for AcrossHarts {
    unsafe fn acquire() -> RawRestoreState {
        let before = if mstatus::read().mie() { INTERRUPTIBLE } else { 0 };
        riscv::interrupt::disable();
        let this = 1 + mhartid::read();
        // Relaxed: only this hart stores this number.
        if OWNER.load(Ordering::Relaxed) == this {
            return before | NESTED;
        }
        while OWNER.compare_exchange_weak(0, this, Ordering::Acquire, Ordering::Relaxed).is_err() {
            core::hint::spin_loop();
        }
        before
    }

    unsafe fn release(before: RawRestoreState) {
        if before & NESTED == 0 {
            OWNER.store(0, Ordering::Release);
        }
        if before & INTERRUPTIBLE != 0 {
            // SAFETY: they were on when the section began.
            unsafe { riscv::interrupt::enable() };
        }
    }
}
