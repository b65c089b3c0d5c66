//! The shot: an interrupt that comes before a chosen instruction of the thread.
//!
//! Three levels of exceptions:
//!
//! | exception | priority | what it does |
//! | --- | --- | --- |
//! | SysTick | highest | comes at the chosen instruction, requests the action; later a watchdog |
//! | [`ACTION`] | middle | does the action, before the thread's next instruction |
//! | PendSV | lowest | runs the job of [`lower`], or ends the thread's sleep |
//!
//! With QEMU's `-icount shift=8` an instruction takes 256 ns, and a tick of SysTick 40 ns. So 32
//! ticks are five instructions, and each instruction has a reload value of its own.

use core::arch::global_asm;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, Ordering, compiler_fence};

use cortex_m::Peripherals;
use cortex_m::asm::{dsb, isb};
use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::scb::SystemHandler;
use cortex_m::peripheral::{NVIC, SCB, SYST};
use cortex_m_rt::{ExceptionFrame, exception};

/// A function that an interrupt calls.
pub(crate) type Job<'j> = &'j (dyn Fn() + Sync + 'j);

/// Where the shot came.
#[derive(Clone, Copy)]
pub(crate) struct Hit {
    /// The address of the next instruction at that moment.
    pub(crate) place: u32,
    /// True if the operation had already returned.
    pub(crate) late: bool,
}

/// The line of the action: the last of the board, without a device.
#[derive(Clone, Copy)]
struct Action;

const ACTION: u16 = 31;

// SAFETY: it is one number, always the same.
unsafe impl InterruptNumber for Action {
    fn number(self) -> u16 {
        ACTION
    }
}

/// The purpose of SysTick's next interrupt.
static STAGE: AtomicU8 = AtomicU8::new(RESTING);
const RESTING: u8 = 0;
const ARMED: u8 = 1;
const WATCHING: u8 = 2;

/// The watchdog's time: 2.6 million instructions. A run takes less than a tenth of it.
const LONGEST: u32 = 0xff_ffff;

static RETURNED: AtomicBool = AtomicBool::new(false);
static PLACE: AtomicU32 = AtomicU32::new(0);
static LATE: AtomicBool = AtomicBool::new(false);

/// The jobs that [`ACTION`] and PendSV call: `*const Job`, null while nothing is lent.
static ON_SHOT: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());
static ON_PENDSV: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

// The handler gets the exception's frame on the stack. There is one stack.
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
    // SAFETY: no critical section depends on priorities.
    unsafe {
        peripherals.SCB.set_priority(SystemHandler::SysTick, 0x00);
        peripherals.NVIC.set_priority(Action, 0x40);
        peripherals.SCB.set_priority(SystemHandler::PendSV, 0xff);
        NVIC::unmask(Action);
    }
}

/// Does `operation`, and makes an interrupt do `action` before instruction number `instruction`.
/// The count starts at 1; the first few instructions lead to the operation. PendSV does `pended` if
/// `operation` requests it. If the operation returns earlier, the shot is late.
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

/// Makes PendSV do `job` now. The thread calls it.
pub(crate) fn lower(job: Job<'_>) {
    lend(&ON_PENDSV, job, pend);
}

/// Requests PendSV.
pub(crate) fn pend() {
    SCB::set_pendsv();
    dsb();
    isb();
}

/// The address of the last shot.
pub(crate) fn place() -> u32 {
    PLACE.load(Ordering::Relaxed)
}

/// The address of PendSV's handler.
pub(crate) fn pendsv() -> u32 {
    // SAFETY: it reads a register.
    let vectors = unsafe { &*SCB::PTR }.vtor.read();
    // SAFETY: the entry of exception 14 in the vector table, which is in flash.
    let entry =
        unsafe { ptr::with_exposed_provenance::<u32>(vectors as usize + 14 * 4).read_volatile() };
    entry & !1
}

/// Lends `job` to an interrupt while `during` runs.
fn lend<R>(place: &AtomicPtr<()>, job: Job<'_>, during: impl FnOnce() -> R) -> R {
    let earlier = place.swap(ptr::from_ref(&job).cast_mut().cast(), Ordering::Relaxed);
    compiler_fence(Ordering::SeqCst); // one core: the job sees all earlier writes
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
    // SAFETY: null, or from `lend`, whose frame is beneath this one; a panic there ends the
    // program.
    let job = unsafe { job.as_ref() }.expect("an interrupt came without a request");
    job();
}

fn start_timer(reload: u32) {
    // SAFETY: only this module uses SysTick.
    let timer = unsafe { &*SYST::PTR };
    // SAFETY: as above; the write stops the timer.
    unsafe { timer.csr.write(0) };
    // A short period may have ended again since.
    SCB::clear_pendst();
    // SAFETY: as above; the last write starts the timer.
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
