//! Counts instructions, exactly.
//!
//! Under QEMU's `-icount shift=8` an instruction takes 2^8 ns. SysTick counts 25 MHz, so that a tick is 40 ns and an
//! instruction 6.4 ticks: none is lost by rounding.

use core::arch::asm;
use core::fmt::Display;
use core::hint::black_box;

use cortex_m::Peripherals;
use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_semihosting::{debug, hprintln};

/// How often each operation is repeated; what is told is the average.
pub const ROUNDS: u32 = 1000;

/// SysTick counts down from here; longer sections cannot be measured.
const RELOAD: u32 = 0x00ff_ffff;

/// Reads the time; the last thing before what is measured. A function of its own, so that nothing is moved across it.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn begin() -> u32 {
    // SAFETY: a comment to the assembler. It keeps the linker from seeing that `end` is the same, for the sake of the profile.
    unsafe { asm!("// begin") };
    SYST::get_current()
}

/// Reads the time; the first thing after what is measured.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn end() -> u32 {
    // SAFETY: as above.
    unsafe { asm!("// end") };
    SYST::get_current()
}

/// Time that went by, in ticks.
#[derive(Clone, Copy, Default)]
pub struct Ticks(u64);

impl Ticks {
    /// Adds the time between a [`begin`] and an [`end`].
    pub fn add(&mut self, began: u32, ended: u32) {
        self.0 += u64::from(began.wrapping_sub(ended) & RELOAD);
    }

    /// The instructions of a round, without those of the meter, which `nothing` was measured by.
    #[must_use]
    pub fn instructions(self, nothing: Self) -> u64 {
        let ticks = self.0 - nothing.0;
        let instructions = (ticks * 40 + 128) >> 8;
        (instructions + u64::from(ROUNDS) / 2) / u64::from(ROUNDS)
    }
}

/// A measuring program: starts the clock, and knows what measuring itself costs.
pub struct Meter {
    nothing: Ticks,
}

impl Meter {
    /// Starts SysTick, and measures nothing [`ROUNDS`] times.
    ///
    /// # Panics
    ///
    /// If it is called twice.
    #[must_use]
    pub fn new() -> Self {
        let mut timer = Peripherals::take().expect("nobody has taken them").SYST;
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(RELOAD);
        timer.clear_current();
        timer.enable_counter();
        let mut nothing = Ticks::default();
        for _ in 0..ROUNDS {
            let began = begin();
            let ended = end();
            nothing.add(began, ended);
        }
        Self { nothing }
    }

    /// Tells what a round of `ticks` costs.
    pub fn tell(&self, name: &str, ticks: Ticks) {
        tell(name, ticks.instructions(self.nothing), "instructions");
    }

    /// Measures a whole round, whose result must be that of `expected`.
    ///
    /// # Panics
    ///
    /// If it is not.
    pub fn measure<R: PartialEq>(
        &self,
        name: &str,
        mut round: impl FnMut(u32) -> R,
        mut expected: impl FnMut(u32) -> R,
    ) {
        let mut ticks = Ticks::default();
        for number in 0..ROUNDS {
            let began = begin();
            let result = round(black_box(number));
            let ended = end();
            ticks.add(began, ended);
            assert!(result == expected(number), "{name}: round {number} failed");
        }
        self.tell(name, ticks);
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}

/// Prints a figure in the form in which `../budgets` reads it.
pub fn tell(name: &str, value: impl Display, unit: &str) {
    hprintln!("{} = {} {}", name, value, unit);
}

/// Ends the emulator.
pub fn done() -> ! {
    debug::exit(debug::EXIT_SUCCESS);
    unreachable!("the emulator has ended");
}
