//! Both ends of a line on serial ports of `embedded-io` and `embedded-io-async`.

mod asynchronous;
mod pipe;
mod polled;

use serde::{Deserialize, Serialize};
use slotted_remote::Task;

/// The room of a frame's body.
const BYTES: usize = 64;
const RESEND: u64 = 10;

#[derive(Debug, Serialize, Deserialize)]
struct Square(u32);

impl Task for Square {
    const NAME: &str = "square/1";
    type Output = u64;

    fn run(self) -> u64 {
        u64::from(self.0).pow(2)
    }
}
