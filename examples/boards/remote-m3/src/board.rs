//! The rest of the board: the clock, sleep, and the number of the boot.

use core::fmt::Write;
use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::NVIC;
use cortex_m_host::{Line, MPS2_TIMER, Mps2, Mps2Timer};
use cortex_m_semihosting::{debug, hio, nr};
use slotted::Clock;

use crate::uart;

/// The timer's counts in a millisecond.
const MILLISECOND: u64 = Mps2::TICKS_PER_SECOND / 1000;
/// A board that is not told to stop stops by itself: after so many milliseconds.
const TIME_LIMIT: u64 = 90_000;

/// Starts clock and UART. Returns the number of this boot.
///
/// # Panics
///
/// If the emulator's command line holds no number.
#[must_use]
pub fn start() -> u32 {
    Mps2Timer::start(0);
    Mps2::start_clock();
    // SAFETY: no critical section depends on this interrupt.
    unsafe { NVIC::unmask(MPS2_TIMER) };
    uart::start();
    boot_number().expect("the emulator gives the board the number of its boot")
}

/// Milliseconds since the boot.
#[must_use]
pub fn now() -> u64 {
    Mps2::now() / MILLISECOND
}

/// How often the clock has interrupted.
static ALARMS: AtomicU32 = AtomicU32::new(0);

/// How often the clock has interrupted.
#[must_use]
pub fn alarms() -> u32 {
    ALARMS.load(Ordering::Relaxed)
}

/// Takes an interrupt of the clock. Returns the line of the UART if it is another one.
///
/// # Panics
///
/// If it is of neither.
#[must_use]
pub fn on_interrupt(line: i16) -> Option<uart::Line> {
    if Line(line as u16) != MPS2_TIMER {
        return Some(uart::Line::of(line).expect("it is the UART's"));
    }
    ALARMS.fetch_add(1, Ordering::Relaxed);
    Mps2::on_timer();
    if now() >= TIME_LIMIT {
        finish(
            "FAILED the board was not done in time\n",
            debug::EXIT_FAILURE,
        );
    }
    None
}

/// Sleeps until an interrupt, or until a date in milliseconds, unless `is_busy` returns true. There
/// is no tick.
pub fn sleep_until(date: Option<u64>, is_busy: impl FnOnce() -> bool) {
    // An interrupt that comes after the look ends the sleep at once: it is pending.
    cortex_m::interrupt::free(|_| {
        if !is_busy() {
            let date = date.unwrap_or(TIME_LIMIT).min(TIME_LIMIT);
            Mps2::set_alarm(Some(date * MILLISECOND));
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
