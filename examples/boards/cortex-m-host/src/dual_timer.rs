//! The CMSDK dual timer of Arm's reference systems. Its first half is the counter, its second half
//! the request.

use core::ptr::with_exposed_provenance_mut;

use host_parts::Timer;

/// A dual timer at an address, with its clock rate.
#[derive(Clone, Copy, Debug)]
pub struct DualTimer<const ADDRESS: usize, const HERTZ: u64>;

/// The registers of a half. The counters count down.
#[derive(Clone, Copy)]
enum Register {
    Load = 0x0,
    Value = 0x4,
    Control = 0x8,
    ClearInterrupt = 0xc,
}

/// The address of the second half.
const REQUEST: usize = 0x20;

/// Control bits: 32 bits wide, and counting; from [`Register::Load`] on, at the end again from
/// `u32::MAX`.
const COUNTS: u32 = 1 << 1 | 1 << 7;
/// Counts down once, and interrupts at 0.
const COUNTS_ONCE: u32 = COUNTS | 1 << 0 | 1 << 5 | 1 << 6;

impl<const ADDRESS: usize, const HERTZ: u64> DualTimer<ADDRESS, HERTZ> {
    fn write(register: usize, value: u32) {
        let register = with_exposed_provenance_mut::<u32>(ADDRESS + register);
        // SAFETY: a register of the timer, which is not memory to Rust.
        unsafe { register.write_volatile(value) };
    }

    /// Makes the counter count from `count` on.
    pub fn start(count: u32) {
        Self::write(Register::Load as usize, !count);
        Self::write(Register::Control as usize, COUNTS);
    }
}

impl<const ADDRESS: usize, const HERTZ: u64> Timer for DualTimer<ADDRESS, HERTZ> {
    const HERTZ: u64 = HERTZ;

    fn count() -> u32 {
        let value = with_exposed_provenance_mut::<u32>(ADDRESS + Register::Value as usize);
        // SAFETY: a register of the timer; reading it changes nothing.
        !unsafe { value.read_volatile() }
    }

    /// The second half counts the difference down, so it passes no count unseen.
    fn request_at(count: u32) {
        let left = count.wrapping_sub(Self::count()).cast_signed().max(1);
        Self::write(REQUEST + Register::Control as usize, 0);
        Self::write(REQUEST + Register::Load as usize, left.cast_unsigned());
        Self::write(REQUEST + Register::Control as usize, COUNTS_ONCE);
    }

    fn acknowledge() {
        Self::write(REQUEST + Register::ClearInterrupt as usize, 0);
    }
}
