//! The chip: Arm's SSE-200 subsystem, which is two Cortex-M33 cores, as on the mps2-an521.

use core::cell::UnsafeCell;
use core::ptr::with_exposed_provenance_mut;

use cortex_m::asm::dsb;
use cortex_m::peripheral::SCB;
use cortex_m_host::Chip;

/// How many cores there are.
pub(crate) const CORES: usize = 2;
/// How fast they are on the mps2-an521.
pub(crate) const CORE_HERTZ: u32 = 20_000_000;

/// The host's chip.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sse200;

impl Chip for Sse200 {
    /// Each core runs its worker in its main thread.
    const PENDSV_WORKS: bool = false;

    fn core() -> usize {
        const CPU_IDENTITY: usize = 0x5001_f000;
        // SAFETY: a register of the asking core, and reading it changes nothing.
        unsafe { with_exposed_provenance_mut::<usize>(CPU_IDENTITY).read_volatile() }
    }
}

/// The stack pointer, the entry point, and the handlers of the exceptions 2 to 15.
const VECTORS: usize = 16;

/// What the second core is given before it starts, and owns from then on.
#[repr(C, align(1024))]
struct Given<T>(UnsafeCell<T>);

// SAFETY: written by `start_second_core` before the second core starts, and by nobody but that core
// and its hardware afterwards.
unsafe impl<T> Sync for Given<T> {}

static TABLE: Given<[usize; VECTORS]> = Given(UnsafeCell::new([0; VECTORS]));
static STACK: Given<[u64; 2048]> = Given(UnsafeCell::new([0; 2048]));

/// Lets the second core begin with `entry`, on a stack of its own, with the exception handlers of
/// this one. To be called once, by core 0.
pub(crate) fn start_second_core(this: &SCB, entry: extern "C" fn() -> !) {
    const INITIAL_VECTORS_1: usize = 0x5002_1114;
    const CPU_WAIT: usize = 0x5002_1118;
    let own = with_exposed_provenance_mut::<[usize; VECTORS]>(this.vtor.read() as usize);
    // SAFETY: the table of this core, which is memory for ever.
    let mut table = unsafe { own.read_volatile() };
    table[0] = STACK.0.get().wrapping_add(1).expose_provenance();
    table[1] = entry as usize;
    // SAFETY: the second core has not started.
    unsafe { TABLE.0.get().write_volatile(table) };
    // SAFETY: where the second core will look for its table.
    unsafe {
        with_exposed_provenance_mut::<usize>(INITIAL_VECTORS_1)
            .write_volatile(TABLE.0.get().expose_provenance())
    };
    // The table is there before the core is.
    dsb();
    let waiting = with_exposed_provenance_mut::<usize>(CPU_WAIT);
    // SAFETY: says which cores wait; reading it changes nothing.
    let cores = unsafe { waiting.read_volatile() };
    // SAFETY: lets core 1 go.
    unsafe { waiting.write_volatile(cores & !(1 << 1)) };
}
