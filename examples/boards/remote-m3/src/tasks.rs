//! What one board has the other do.

use core::fmt::Write;
use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m_semihosting::hio;
use serde::{Deserialize, Serialize};
use slotted_remote::Task;

/// How many tasks ran since this board's boot.
static RAN: AtomicU32 = AtomicU32::new(0);

/// The energy of a block of samples.
#[derive(Clone, Serialize, Deserialize)]
pub struct Energy {
    /// The submitter's boot, so that the ledger tells the calls of two lives apart.
    boot: u32,
    number: u32,
    samples: [i16; 8],
}

impl Energy {
    /// A block that depends on its number.
    #[must_use]
    pub fn new(boot: u32, number: u32) -> Self {
        let mut bits = number;
        let samples = core::array::from_fn(|_| {
            bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (bits >> 16) as u16 as i16
        });
        Self {
            boot,
            number,
            samples,
        }
    }

    /// What the task returns.
    #[must_use]
    pub fn energy(&self) -> u64 {
        let squares = { self.samples.iter() }.map(|&sample| i64::from(sample).pow(2) as u64);
        squares.sum()
    }
}

impl Task for Energy {
    const NAME: &str = "energy/1";
    type Output = u64;

    fn run(self) -> u64 {
        RAN.fetch_add(1, Ordering::Relaxed);
        // The ledger of what ran, which no reset of a board loses.
        if let Ok(mut out) = hio::hstdout() {
            let _ = writeln!(out, "ran {} {}", self.boot, self.number);
        }
        self.energy()
    }
}

/// How many tasks the worker ran since its boot.
#[derive(Clone, Serialize, Deserialize)]
pub struct Ran;

impl Task for Ran {
    const NAME: &str = "ran/1";
    type Output = u32;

    fn run(self) -> u32 {
        RAN.load(Ordering::Relaxed)
    }
}
