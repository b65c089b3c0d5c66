//! The chip: Arm's SSE-200 subsystem with two Cortex-M33 cores, as on the mps2-an521.

use core::cell::UnsafeCell;
use core::ptr::with_exposed_provenance_mut;

use cortex_m::asm::{dsb, sev, wfe};
use cortex_m::peripheral::SCB;
use cortex_m_host::{Chip, DualTimer, Line};

/// The number of cores.
pub(crate) const CORES: usize = 2;
/// Their clock rate on the mps2-an521.
pub(crate) const CORE_HERTZ: u32 = 20_000_000;

/// The timer that both cores share.
pub(crate) type Timer = DualTimer<0x5000_2000, { CORE_HERTZ as u64 }>;
/// The line of its interrupt.
pub(crate) const TIMER: Line = Line(5);

/// The host's chip. A core sleeps by `wfe`, and `sev` on any core wakes it. The permit is the
/// core's event register. `sev` sets it, and so does the return from any exception; `wfe` consumes
/// it. QEMU's `wfe` does not wait, so this board cannot show that its cores sleep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sse200;

impl Chip for Sse200 {
    type Timer = Timer;

    /// Each core runs its worker in its main thread.
    const PENDSV_WORKS: bool = false;

    fn core() -> usize {
        const CPU_IDENTITY: usize = 0x5001_f000;
        // SAFETY: a register of the calling core; reading it changes nothing.
        unsafe { with_exposed_provenance_mut::<usize>(CPU_IDENTITY).read_volatile() }
    }

    fn sleep(prepare: impl FnOnce()) {
        prepare();
        wfe();
    }

    fn wake() {
        // A core that the event wakes sees what was written before it.
        dsb();
        sev();
    }
}

/// The stack pointer, the entry point, and the handlers of exceptions 2 to 15.
const VECTORS: usize = 16;

/// Memory that the second core receives before it starts, and owns from then on.
#[repr(C, align(1024))]
struct Given<T>(UnsafeCell<T>);

// SAFETY: `start_second_core` writes it before the second core starts. Afterwards only that core
// and its hardware write it.
unsafe impl<T> Sync for Given<T> {}

static TABLE: Given<[usize; VECTORS]> = Given(UnsafeCell::new([0; VECTORS]));
static STACK: Given<[u64; 2048]> = Given(UnsafeCell::new([0; 2048]));

/// Makes the second core begin with `entry`, on its own stack, with the exception handlers of the
/// calling core. Core 0 calls it once.
pub(crate) fn start_second_core(this: &SCB, entry: extern "C" fn() -> !) {
    const INITIAL_VECTORS_1: usize = 0x5002_1114;
    const CPU_WAIT: usize = 0x5002_1118;
    let own = with_exposed_provenance_mut::<[usize; VECTORS]>(this.vtor.read() as usize);
    // SAFETY: the vector table of this core is always valid memory.
    let mut table = unsafe { own.read_volatile() };
    table[0] = STACK.0.get().wrapping_add(1).expose_provenance();
    table[1] = entry as usize;
    // SAFETY: the second core has not started.
    unsafe { TABLE.0.get().write_volatile(table) };
    // SAFETY: the register from which the second core takes the address of its table.
    unsafe {
        with_exposed_provenance_mut::<usize>(INITIAL_VECTORS_1)
            .write_volatile(TABLE.0.get().expose_provenance())
    };
    // The table must be in memory before the core starts.
    dsb();
    let waiting = with_exposed_provenance_mut::<usize>(CPU_WAIT);
    // SAFETY: the register of waiting cores; reading it changes nothing.
    let cores = unsafe { waiting.read_volatile() };
    // SAFETY: the write releases core 1.
    unsafe { waiting.write_volatile(cores & !(1 << 1)) };
}
