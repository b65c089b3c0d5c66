//! The board as a host with three levels: two interrupts and the super-loop.

use core::arch::asm;

use control_firmware::Machine;
use cortex_m::peripheral::{NVIC, SCB};
use cortex_m_host::{Line, Mps2};
use host_parts::Places;
use slotted::{Clock, Levels, Park, Step};

use crate::WATCHDOG;

/// The line of level 2's interrupt: one without a device. It is between the clock and PendSV.
pub(crate) const URGENT_LINE: Line = Line(31);

/// The board. Its clock has no tick.
pub(crate) struct Board;

impl Places for Board {
    fn thread(_place: usize) {}
}

impl Park for Board {
    type Thread = ();
    type Order = Levels<3>;

    fn current() {}

    fn current_id() -> usize {
        Mps2::current_id()
    }

    fn park() {
        Mps2::park();
    }

    fn unpark((): &()) {
        Mps2::unpark(&());
    }

    /// The super-loop may sleep. A shutdown lets the workers in the interrupts leave.
    fn ready() {
        NVIC::pend(URGENT_LINE);
        SCB::set_pendsv();
        Self::unpark(&());
    }

    fn note(step: impl FnOnce() -> Step) {
        WATCHDOG.note(Self::now(), step());
    }

    fn ready_at(level: usize) {
        match level {
            2 => NVIC::pend(URGENT_LINE),
            1 => SCB::set_pendsv(),
            _ => Self::unpark(&()),
        }
    }
}

impl Clock for Board {
    const TICKS_PER_SECOND: u64 = Mps2::TICKS_PER_SECOND;

    fn now() -> u64 {
        Mps2::now()
    }

    fn park_until(deadline: u64) {
        Mps2::park_until(deadline);
    }

    fn set_alarm(date: Option<u64>) {
        Mps2::set_alarm(date);
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
