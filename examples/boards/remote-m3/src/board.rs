//! The rest of the board: the clock, sleep, and the number of the boot.

use core::fmt::Write;

use cortex_m::Peripherals;
use cortex_m_host::{CortexM, SingleCore, start_clock, tick};
use cortex_m_rt::exception;
use cortex_m_semihosting::{debug, hio, nr};
use slotted::Clock;

use crate::uart;

/// A board that is not told to stop stops by itself.
const TIME_LIMIT: u64 = 90_000;

/// Starts clock and UART. Returns the number of this boot.
///
/// # Panics
///
/// If it is called twice, or the emulator's command line holds no number.
#[must_use]
pub fn start() -> u32 {
    let mut peripherals = Peripherals::take().expect("they are taken once");
    start_clock(&mut peripherals.SYST, 25_000_000);
    uart::start();
    boot_number().expect("the emulator gives the board the number of its boot")
}

/// Milliseconds since the boot.
#[must_use]
pub fn now() -> u64 {
    CortexM::<SingleCore>::now()
}

#[exception]
fn SysTick() {
    tick::<SingleCore>();
    if now() == TIME_LIMIT {
        finish(
            "FAILED the board was not done in time\n",
            debug::EXIT_FAILURE,
        );
    }
}

/// Sleeps until an interrupt, unless `is_busy` returns true.
pub fn sleep_unless(is_busy: impl FnOnce() -> bool) {
    // An interrupt that comes after the look ends the sleep at once: it is pending.
    cortex_m::interrupt::free(|_| {
        if !is_busy() {
            cortex_m::asm::wfi();
        }
    });
}

/// Prints the last words, and ends the emulator.
pub fn finish(words: &str, status: debug::ExitStatus) -> ! {
    if let Ok(mut out) = hio::hstdout() {
        let _ = out.write_str(words);
    }
    debug::exit(status);
    unreachable!("the emulator has ended");
}

/// The number at the end of the emulator's command line. A board without an emulator counts its
/// boots in memory that survives, or takes a random number.
fn boot_number() -> Option<u32> {
    let mut line = [0_u8; 64];
    let mut block = [line.as_mut_ptr().expose_provenance(), line.len()];
    // SAFETY: the emulator writes no more bytes to `line` than the block says, and its length to
    // the block. Both live until it returns.
    let failed = unsafe {
        cortex_m_semihosting::syscall1(nr::GET_CMDLINE, block.as_mut_ptr().expose_provenance())
    };
    let line = line.get(..*core::hint::black_box(&block).get(1)?)?;
    let line = core::str::from_utf8(line).ok().filter(|_| failed == 0)?;
    line.rsplit(' ').next()?.parse().ok()
}
