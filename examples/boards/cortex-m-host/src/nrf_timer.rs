//! TIMER0 of Nordic's nRF51: one counter, and registers that it is compared with.

use core::ptr::with_exposed_provenance_mut;

use cortex_m::peripheral::NVIC;
use host_parts::Timer;

use crate::Line;

/// TIMER0, at the rate of the processor.
#[derive(Clone, Copy, Debug)]
pub struct NrfTimer;

/// The line of its interrupt.
pub(crate) const LINE: Line = Line(8);

/// The registers. Compare register 0 has the request; register 1 takes the count.
#[derive(Clone, Copy)]
enum Register {
    Start = 0x000,
    CaptureCount = 0x044,
    CompareEvent = 0x140,
    EnableInterrupts = 0x304,
    BitMode = 0x508,
    Prescaler = 0x510,
    Compare = 0x540,
    Captured = 0x544,
}

impl Register {
    fn address(self) -> *mut u32 {
        with_exposed_provenance_mut(0x4000_8000 + self as usize)
    }

    fn write(self, value: u32) {
        // SAFETY: a register of the timer, which is not memory to Rust.
        unsafe { self.address().write_volatile(value) };
    }
}

impl NrfTimer {
    /// Makes the counter count, from 0 on.
    pub fn start() {
        Register::BitMode.write(3); // 32 bits
        Register::Prescaler.write(0); // 16 MHz by 2^0
        Register::EnableInterrupts.write(1 << 16); // of compare register 0
        Register::Start.write(1);
    }
}

impl Timer for NrfTimer {
    const HERTZ: u64 = 16_000_000;

    fn count() -> u32 {
        // An interrupt in between would capture too.
        critical_section::with(|_| {
            Register::CaptureCount.write(1);
            // SAFETY: a register of the timer; reading it changes nothing.
            unsafe { Register::Captured.address().read_volatile() }
        })
    }

    /// The timer compares for equality. A count that is reached during the write is missed, and so
    /// may be the next one: the interrupt comes at once for both.
    fn request_at(count: u32) {
        Register::Compare.write(count);
        if count.wrapping_sub(Self::count()).cast_signed() < 2 {
            NVIC::pend(LINE);
        }
    }

    /// The emulator compares anew when the event is cleared: with a count that has just passed.
    fn acknowledge() {
        Register::Compare.write(Self::count().wrapping_sub(1));
        Register::CompareEvent.write(0);
    }
}
