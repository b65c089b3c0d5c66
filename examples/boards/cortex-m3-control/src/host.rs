//! The board as a host with three levels: two interrupts and the super-loop.

use core::arch::asm;

use control_firmware::Machine;
use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{NVIC, SCB, SYST};
use cortex_m_host::{CortexM, SingleCore, tick};
use host_parts::Places;
use slotted::{Clock, Levels, Park, Step};

use crate::WATCHDOG;

/// The interrupt of level 2: a line without a device, between SysTick and PendSV.
#[derive(Clone, Copy)]
pub(crate) struct Urgent;

// SAFETY: it is one number, always the same.
unsafe impl InterruptNumber for Urgent {
    fn number(self) -> u16 {
        31
    }
}

/// The frequency of the processor, and so of SysTick: QEMU's.
pub(crate) const HERTZ: u32 = 25_000_000;
/// The processor's ticks in a microsecond.
const PER_MICRO: u32 = HERTZ / 1_000_000;
/// SysTick interrupts so often: microseconds.
const PERIOD: u32 = 1000;

/// The board. Its clock ticks in microseconds.
pub(crate) struct Board;

impl Board {
    /// Makes SysTick interrupt each millisecond.
    pub(crate) fn start_clock(timer: &mut SYST) {
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(PERIOD * PER_MICRO - 1);
        timer.clear_current();
        timer.enable_counter();
        timer.enable_interrupt();
    }

    /// Counts a period. The handler of SysTick calls it.
    pub(crate) fn tick() {
        tick::<SingleCore>();
    }
}

impl Places for Board {
    fn thread(_place: usize) {}
}

impl Park for Board {
    type Thread = ();
    type Order = Levels<3>;

    fn current() {}

    fn current_id() -> usize {
        CortexM::<SingleCore>::current_id()
    }

    fn park() {
        CortexM::<SingleCore>::park();
    }

    fn unpark((): &()) {
        CortexM::<SingleCore>::unpark(&());
    }

    /// The super-loop may sleep. A shutdown lets the workers in the interrupts leave.
    fn ready() {
        NVIC::pend(Urgent);
        SCB::set_pendsv();
        Self::unpark(&());
    }

    fn note(step: impl FnOnce() -> Step) {
        WATCHDOG.note(Self::now(), step());
    }

    fn ready_at(level: usize) {
        match level {
            2 => NVIC::pend(Urgent),
            1 => SCB::set_pendsv(),
            _ => Self::unpark(&()),
        }
    }
}

impl Clock for Board {
    const TICKS_PER_SECOND: u64 = 1_000_000;

    /// Periods, and how far SysTick is in this one. It may have begun the next one already while
    /// its interrupt is still pending.
    fn now() -> u64 {
        critical_section::with(|_| {
            let mut periods = CortexM::<SingleCore>::now();
            let mut left = SYST::get_current();
            if SCB::is_pendst_pending() {
                periods += 1;
                left = SYST::get_current();
            }
            let in_period = (PERIOD * PER_MICRO - 1 - left) / PER_MICRO;
            periods * u64::from(PERIOD) + u64::from(in_period)
        })
    }

    fn park_until(_deadline: u64) {
        Self::park();
    }
}

/// The machine that is controlled: a register and a position that follows it.
mod machine {
    use core::sync::atomic::AtomicI32;

    pub(super) static POSITION: AtomicI32 = AtomicI32::new(0);
}

impl Machine for Board {
    fn read_sensor() -> i32 {
        machine::POSITION.load(core::sync::atomic::Ordering::Relaxed)
    }

    fn set_actuator(value: i32) {
        let position = Self::read_sensor();
        let position = position + (value - position) / 16;
        machine::POSITION.store(position, core::sync::atomic::Ordering::Relaxed);
    }

    /// The CMSDK UART 0 of the board.
    fn send(byte: u8) {
        const DATA: *mut u32 = 0x4000_4000 as *mut u32;
        // SAFETY: the UART's data register, which takes any byte.
        unsafe { DATA.write_volatile(u32::from(byte)) };
    }

    /// Counts instructions: two in each round, of 128 ns each in the emulator.
    fn work(micros: u32) {
        let rounds = micros * 1000 / (2 * 128);
        // SAFETY: it counts a register down, and touches nothing else.
        unsafe {
            asm!(
                "2: subs {rounds}, #1",
                "bne 2b",
                rounds = inout(reg) rounds => _,
                options(nomem, nostack),
            );
        }
    }
}
