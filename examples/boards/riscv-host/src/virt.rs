//! QEMU's virt: a serial port, and a way to end the emulator.

use core::fmt::{self, Write};
use core::panic::PanicInfo;
use core::ptr::with_exposed_provenance_mut;

/// The serial port.
#[derive(Debug)]
pub struct Uart;

impl Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        const UART: usize = 0x1000_0000;
        for byte in text.bytes() {
            // SAFETY: the line status register; bit 5 is set if there is room.
            while unsafe { with_exposed_provenance_mut::<u8>(UART + 5).read_volatile() } & 1 << 5
                == 0
            {}
            // SAFETY: the transmit register.
            unsafe { with_exposed_provenance_mut::<u8>(UART).write_volatile(byte) };
        }
        Ok(())
    }
}

/// Ends the emulator: with status 0 if nothing failed, otherwise with 1.
pub fn exit(failed: Result<usize, fmt::Error>) -> ! {
    const PASSED: u32 = 0x5555;
    const FAILED: u32 = 1 << 16 | 0x3333;
    let code = if failed == Ok(0) { PASSED } else { FAILED };
    // SAFETY: the finisher.
    unsafe { with_exposed_provenance_mut::<u32>(0x10_0000).write_volatile(code) };
    // The emulator does not end at once.
    loop {
        riscv::asm::wfi();
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(Uart, "{info}");
    exit(Err(fmt::Error))
}
