//! UART1 (CMSDK), which joins the boards.

use core::cell::RefCell;
use core::convert::Infallible;
use core::ptr::with_exposed_provenance_mut;
use core::sync::atomic::{AtomicBool, Ordering};

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use critical_section::Mutex;
use embedded_io::{ErrorType, Read, ReadReady, Write, WriteReady};
use heapless::Deque;

/// The interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    Received = 2,
    Sent = 3,
}

impl Line {
    /// The interrupt that a handler was called for.
    #[must_use]
    pub fn of(number: i16) -> Option<Self> {
        match number {
            2 => Some(Self::Received),
            3 => Some(Self::Sent),
            _ => None,
        }
    }
}

// SAFETY: each has one number, always the same.
unsafe impl InterruptNumber for Line {
    fn number(self) -> u16 {
        self as u16
    }
}

#[derive(Clone, Copy)]
enum Register {
    Data = 0x0,
    /// Bit 0: the transmitter is full. Bit 1: a byte is there.
    State = 0x4,
    /// Bits 0, 1: transmitter and receiver are on. Bits 2, 3: their interrupts are.
    Control = 0x8,
    /// Bits 0, 1: the interrupts of transmitter and receiver. Writing a bit clears it.
    Interrupts = 0xc,
    /// Clock ticks for each bit.
    Divisor = 0x10,
}

impl Register {
    fn address(self) -> *mut u32 {
        with_exposed_provenance_mut(0x4000_5000 + self as usize)
    }

    fn read(self) -> u32 {
        // SAFETY: a register of the UART, which is not memory to Rust.
        unsafe { self.address().read_volatile() }
    }

    fn write(self, value: u32) {
        // SAFETY: a register of the UART, which is not memory to Rust.
        unsafe { self.address().write_volatile(value) };
    }
}

/// Turns the UART and its interrupts on.
pub fn start() {
    Register::Divisor.write(217); // 115 200 bits a second
    Register::Control.write(0b1111);
    for line in [Line::Received, Line::Sent] {
        // SAFETY: no critical section depends on priorities.
        unsafe { NVIC::unmask(line) };
    }
}

/// Clears an interrupt.
pub fn clear(line: Line) {
    Register::Interrupts.write(match line {
        Line::Sent => 0b01,
        Line::Received => 0b10,
    });
}

/// The byte that has come.
#[must_use]
pub fn receive() -> Option<u8> {
    (Register::State.read() & 0b10 != 0).then(|| Register::Data.read() as u8)
}

/// Returns true if the transmitter takes a byte.
#[must_use]
pub fn can_send() -> bool {
    Register::State.read() & 0b01 == 0
}

/// Sends bytes. Waits for the transmitter before each.
pub fn send(bytes: &[u8]) {
    for &byte in bytes {
        while !can_send() {}
        Register::Data.write(byte.into());
    }
}

/// Bytes that came and were not read yet. If it is full, a byte is lost, as in any UART.
static RECEIVED: Mutex<RefCell<Deque<u8, 256>>> = Mutex::new(RefCell::new(Deque::new()));

/// True if there was an interrupt since the loop looked.
static HAS_NEWS: AtomicBool = AtomicBool::new(false);

/// The UART with a buffer: [`on_interrupt`](Self::on_interrupt) fills it.
#[derive(Debug)]
pub struct BufferedUart;

impl BufferedUart {
    /// The handler of both interrupts.
    pub fn on_interrupt(line: Line) {
        clear(line);
        HAS_NEWS.store(true, Ordering::Relaxed);
        while let Some(byte) = receive() {
            critical_section::with(|section| {
                let _ = RECEIVED.borrow_ref_mut(section).push_back(byte);
            });
        }
    }

    /// Returns true if a byte has come or was sent since the last call. Then the port is to be
    /// served once more before the board sleeps: without a tick, nothing else would wake it.
    #[must_use]
    pub fn has_news() -> bool {
        HAS_NEWS.swap(false, Ordering::Relaxed)
    }

    /// Returns true if bytes wait to be read.
    fn has_received() -> bool {
        critical_section::with(|section| !RECEIVED.borrow_ref(section).is_empty())
    }
}

impl ErrorType for BufferedUart {
    type Error = Infallible;
}

impl ReadReady for BufferedUart {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(Self::has_received())
    }
}

impl Read for BufferedUart {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, Infallible> {
        while !out.is_empty() && !Self::has_received() {
            cortex_m::asm::wfe();
        }
        let mut len = 0;
        for place in out {
            let byte =
                critical_section::with(|section| RECEIVED.borrow_ref_mut(section).pop_front());
            let Some(byte) = byte else { break };
            *place = byte;
            len += 1;
        }
        Ok(len)
    }
}

impl WriteReady for BufferedUart {
    fn write_ready(&mut self) -> Result<bool, Infallible> {
        Ok(can_send())
    }
}

impl Write for BufferedUart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        let byte = bytes.get(..1).unwrap_or_default();
        send(byte);
        Ok(byte.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        while !can_send() {}
        Ok(())
    }
}
