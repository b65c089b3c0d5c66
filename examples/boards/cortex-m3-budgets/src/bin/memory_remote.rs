//! Measures the RAM of both ends of a line.
#![no_std]
#![no_main]

use core::mem::size_of;

use cortex_m_rt::entry;
use cortex_m3_budgets::meter::{done, tell};
use cortex_m3_budgets::rounds::link::Work;
use panic_semihosting as _;
use slotted_remote::{Call, LineWorker, Link};

#[entry]
fn main() -> ! {
    let bytes = |name, size| tell(name, size as u64, "bytes");
    bytes("a link of 4 calls of 64 bytes", size_of::<Link<4, 64>>());
    bytes(
        "a call more of a link",
        size_of::<Link<5, 64>>() - size_of::<Link<4, 64>>(),
    );
    bytes(
        "a worker of 4 calls of 64 bytes",
        size_of::<LineWorker<(Work,), 4, 64>>(),
    );
    bytes(
        "a call more of a worker",
        size_of::<LineWorker<(Work,), 5, 64>>() - size_of::<LineWorker<(Work,), 4, 64>>(),
    );
    bytes(
        "a call, the future",
        size_of::<Call<'static, Work, 4, 64>>(),
    );
    done();
}
