//! The board that works. It runs what comes over its UART, by the traits of `embedded-io`.
#![no_std]
#![no_main]

use cortex_m_rt::{entry, exception};
use panic_semihosting as _;
use remote_m3::tasks::{Energy, Ran};
use remote_m3::uart::BufferedUart;
use remote_m3::{BYTES, CALLS, board};
use slotted_remote::{LineWorker, SerialPort, frame_bytes};

type Worker = LineWorker<(Energy, Ran), CALLS, BYTES>;
type Port = SerialPort<BufferedUart, { frame_bytes(BYTES) }>;

#[exception]
unsafe fn DefaultHandler(line: i16) {
    if let Some(line) = board::on_interrupt(line) {
        BufferedUart::on_interrupt(line);
    }
}

#[entry]
fn main() -> ! {
    let boot = board::start();
    let mut worker = Worker::new(boot);
    let mut port = Port::new(BufferedUart);
    loop {
        let is_busy = port.serve(&mut worker).expect("the UART has no errors");
        board::sleep_until(None, || is_busy || BufferedUart::has_news());
    }
}
