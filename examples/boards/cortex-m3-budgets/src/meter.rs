//! Counts instructions, exactly.
//!
//! Under QEMU's `-icount shift=8` an instruction takes 2^8 ns. SysTick counts at 25 MHz. So a tick
//! is 40 ns and an instruction 6.4 ticks; rounding loses no instruction.

use core::arch::asm;
use core::fmt::Display;
use core::hint::black_box;

use cortex_m::Peripherals;
use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_semihosting::{debug, hprintln};

/// How often a program repeats each operation. A figure is the average.
pub const ROUNDS: u32 = 1000;

/// SysTick counts down from here. It cannot measure longer sections.
const RELOAD: u32 = 0x00ff_ffff;

/// Reads the time, last before the measured work. It is a function of its own, so the compiler
/// moves nothing across it.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn begin() -> u32 {
    // SAFETY: a comment to the assembler. The profile needs two functions; this keeps the linker
    // from merging `begin` with `end`.
    unsafe { asm!("// begin") };
    SYST::get_current()
}

/// Reads the time, first after the measured work.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn end() -> u32 {
    // SAFETY: as above.
    unsafe { asm!("// end") };
    SYST::get_current()
}

/// Time spent in several sections.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ticks {
    sum: u64,
    sections: u64,
}

impl Ticks {
    /// No section yet.
    pub const ZERO: Self = Self {
        sum: 0,
        sections: 0,
    };

    /// Adds the time between a [`begin`] and an [`end`].
    pub fn add(&mut self, began: u32, ended: u32) {
        self.sum += u64::from(began.wrapping_sub(ended) & RELOAD);
        self.sections += 1;
    }

    /// Adds the time that `work` takes. Returns its result.
    #[inline(always)]
    pub fn time<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let began = begin();
        let result = work();
        let ended = end();
        self.add(began, ended);
        result
    }
}

/// A measuring program's clock. It knows what the measurement itself costs.
#[derive(Debug)]
pub struct Meter {
    /// What [`ROUNDS`] empty sections take.
    nothing: Ticks,
}

impl Meter {
    /// Starts SysTick and measures [`ROUNDS`] empty sections.
    ///
    /// # Panics
    ///
    /// If called twice, or if the clock does not count instructions.
    #[must_use]
    pub fn new() -> Self {
        let mut timer = Peripherals::take().expect("they are taken once").SYST;
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(RELOAD);
        timer.clear_current();
        timer.enable_counter();
        let mut nothing = Ticks::default();
        for _ in 0..ROUNDS {
            nothing.time(|| ());
        }
        let meter = Self { nothing };
        // Any other clock gives another figure here.
        let mut known = Ticks::default();
        // SAFETY: a hundred instructions that do nothing.
        known.time(|| unsafe { asm!(".rept 100", "nop", ".endr") });
        assert!(
            meter.instructions(known, 1) == 100,
            "run it by `qemu-system-arm -icount shift=8`"
        );
        meter
    }

    /// The instructions of one of `parts` equal parts of the timed work, rounded to the nearest.
    #[must_use]
    pub fn instructions(&self, timed: Ticks, parts: u64) -> u64 {
        let meter = self.nothing.sum * timed.sections / self.nothing.sections;
        let instructions = ((timed.sum - meter) * 40 + 128) >> 8;
        (instructions + parts / 2) / parts
    }

    /// Prints what one of [`ROUNDS`] rounds costs.
    pub fn tell(&self, name: &str, timed: Ticks) {
        tell(
            name,
            self.instructions(timed, u64::from(ROUNDS)),
            "instructions",
        );
    }

    /// Measures a whole round. Its result must equal that of `expected`.
    ///
    /// # Panics
    ///
    /// If the results differ.
    pub fn measure<R: PartialEq>(
        &self,
        name: &str,
        mut round: impl FnMut(u32) -> R,
        mut expected: impl FnMut(u32) -> R,
    ) {
        let mut timed = Ticks::default();
        for number in 0..ROUNDS {
            let result = timed.time(|| round(black_box(number)));
            assert!(result == expected(number), "{name}: round {number} failed");
        }
        self.tell(name, timed);
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}

/// Prints a figure in the form that `../budgets` reads.
pub fn tell(name: &(impl Display + ?Sized), value: u64, unit: &str) {
    hprintln!("{} = {} {}", name, value, unit);
}

/// Ends the emulator.
pub fn done() -> ! {
    debug::exit(debug::EXIT_SUCCESS);
    unreachable!("the emulator has ended");
}
