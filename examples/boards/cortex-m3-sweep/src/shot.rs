//! The shot: an interrupt that comes before a chosen instruction of the thread.
//!
//! Three levels of exceptions:
//!
//! | exception | priority | what it does |
//! | --- | --- | --- |
//! | SysTick | highest | comes at the chosen instruction, notes where, and requests the action; later, the watchdog |
//! | [`ACTION`] | middle | does what the interrupt is to do; runs after SysTick and before the thread's next instruction |
//! | PendSV | lowest | what the thread has others do: [`lower`], and whoever ends its sleep |
//!
//! With QEMU's `-icount shift=8` an instruction takes 256 ns, a tick of SysTick 40 ns: 32 ticks are
//! five instructions, and each instruction is reached by a reload value of its own.

use core::arch::global_asm;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, Ordering, compiler_fence};

use cortex_m::Peripherals;
use cortex_m::asm::{dsb, isb};
use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::scb::SystemHandler;
use cortex_m::peripheral::{NVIC, SCB, SYST};
use cortex_m_rt::{ExceptionFrame, exception};

/// What an interrupt calls.
pub(crate) type Job<'j> = &'j (dyn Fn() + Sync + 'j);

/// Where the shot came.
#[derive(Clone, Copy)]
pub(crate) struct Hit {
    /// The instruction that was to come next.
    pub(crate) place: u32,
    /// The operation had returned already.
    pub(crate) late: bool,
}

/// The line of the action: the last of the board, which no device drives here.
#[derive(Clone, Copy)]
struct Action;

const ACTION: u16 = 31;

// SAFETY: one number, always the same.
unsafe impl InterruptNumber for Action {
    fn number(self) -> u16 {
        ACTION
    }
}

/// What SysTick is there for now.
static STAGE: AtomicU8 = AtomicU8::new(RESTING);
const RESTING: u8 = 0;
const ARMED: u8 = 1;
const WATCHING: u8 = 2;

/// The watchdog's time: 2.6 million instructions. A whole run takes less than a tenth.
const LONGEST: u32 = 0xff_ffff;

static RETURNED: AtomicBool = AtomicBool::new(false);
static PLACE: AtomicU32 = AtomicU32::new(0);
static LATE: AtomicBool = AtomicBool::new(false);

/// What [`ACTION`] and PendSV call: `*const Job`, null while nothing is lent.
static ON_SHOT: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());
static ON_PENDSV: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

// The handler gets the frame that the exception left on the stack. There is one stack.
global_asm!(
    ".section .text.SysTick, \"ax\"",
    ".global SysTick",
    ".type SysTick, %function",
    ".thumb_func",
    "SysTick:",
    "    mov r0, sp",
    "    b {handler}",
    handler = sym systick,
);

/// Sets the priorities.
pub(crate) fn prepare(peripherals: &mut Peripherals) {
    // SAFETY: no critical section rests on priorities.
    unsafe {
        peripherals.SCB.set_priority(SystemHandler::SysTick, 0x00);
        peripherals.NVIC.set_priority(Action, 0x40);
        peripherals.SCB.set_priority(SystemHandler::PendSV, 0xff);
        NVIC::unmask(Action);
    }
}

/// Does `operation`, and has an interrupt do `action` before its instruction number `instruction`
/// (from 1; the first few are those that lead to it). PendSV, if `operation` requests it, does
/// `pended`. If the operation returns earlier, the shot is late.
pub(crate) fn fire<R>(
    instruction: u32,
    action: Job<'_>,
    pended: Job<'_>,
    operation: impl FnOnce() -> R,
) -> (R, Hit) {
    let result = lend(&ON_SHOT, action, || {
        lend(&ON_PENDSV, pended, || {
            RETURNED.store(false, Ordering::Relaxed);
            STAGE.store(ARMED, Ordering::Relaxed);
            // 256 ns are 6.4 ticks.
            start_timer(instruction * 32 / 5);
            let result = operation();
            RETURNED.store(true, Ordering::Relaxed);
            // Bound: the reload value.
            while STAGE.load(Ordering::Relaxed) == ARMED {
                core::hint::spin_loop();
            }
            result
        })
    });
    (
        result,
        Hit {
            place: PLACE.load(Ordering::Relaxed),
            late: LATE.load(Ordering::Relaxed),
        },
    )
}

/// Has PendSV do `job` now. Called by the thread.
pub(crate) fn lower(job: Job<'_>) {
    lend(&ON_PENDSV, job, pend);
}

/// Lets PendSV come.
pub(crate) fn pend() {
    SCB::set_pendsv();
    dsb();
    isb();
}

/// Where the last shot came.
pub(crate) fn place() -> u32 {
    PLACE.load(Ordering::Relaxed)
}

/// The address of PendSV's handler.
pub(crate) fn pendsv() -> u32 {
    // SAFETY: reads a register.
    let vectors = unsafe { &*SCB::PTR }.vtor.read();
    // SAFETY: the entry of exception 14 in the table of vectors, which is in flash.
    let entry =
        unsafe { ptr::with_exposed_provenance::<u32>(vectors as usize + 14 * 4).read_volatile() };
    entry & !1
}

/// Has an interrupt find `job` as long as `during` takes.
fn lend<R>(place: &AtomicPtr<()>, job: Job<'_>, during: impl FnOnce() -> R) -> R {
    let earlier = place.swap(ptr::from_ref(&job).cast_mut().cast(), Ordering::Relaxed);
    compiler_fence(Ordering::SeqCst); // one core: what the job looks at is written
    let result = during();
    compiler_fence(Ordering::SeqCst);
    place.store(earlier, Ordering::Relaxed);
    result
}

fn call(place: &AtomicPtr<()>) {
    let job = place
        .load(Ordering::Relaxed)
        .cast_const()
        .cast::<Job<'static>>();
    compiler_fence(Ordering::SeqCst);
    // SAFETY: null, or from `lend`, whose frame is beneath ours; a panic there ends the program.
    let job = unsafe { job.as_ref() }.expect("an interrupt came that nobody asked for");
    job();
}

fn start_timer(reload: u32) {
    // SAFETY: SysTick is ours alone.
    let timer = unsafe { &*SYST::PTR };
    // SAFETY: as above; it stops.
    unsafe { timer.csr.write(0) };
    // A short period has come round again.
    SCB::clear_pendst();
    // SAFETY: as above; the last write starts it.
    unsafe {
        timer.rvr.write(reload);
        timer.cvr.write(0);
        timer.csr.write(0b111); // the core's clock, with interrupts, on
    }
    compiler_fence(Ordering::SeqCst);
}

extern "C" fn systick(frame: &ExceptionFrame) {
    assert!(
        STAGE.load(Ordering::Relaxed) == ARMED,
        "it hangs at {:#x}",
        frame.pc()
    );
    PLACE.store(frame.pc(), Ordering::Relaxed);
    LATE.store(RETURNED.load(Ordering::Relaxed), Ordering::Relaxed);
    STAGE.store(WATCHING, Ordering::Relaxed);
    start_timer(LONGEST);
    NVIC::pend(Action);
}

#[exception]
fn PendSV() {
    call(&ON_PENDSV);
}

#[exception]
unsafe fn DefaultHandler(line: i16) {
    assert!(line == ACTION as i16, "an interrupt of line {line}");
    call(&ON_SHOT);
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    panic!("a fault at {:#x}", frame.pc());
}
