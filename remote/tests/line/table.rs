//! The tasks of these tests, and the ledger of what ran.

use core::cell::RefCell;
use std::collections::HashMap;

use serde::{Deserialize, Deserializer, Serialize};
use slotted_remote::Task;

thread_local! {
    /// How often each [`Count`] ran. Both ends of a test live in one thread.
    static RAN: RefCell<HashMap<u32, u32>> = RefCell::default();
}

/// How often the task of that number ran.
pub(crate) fn ran(number: u32) -> u32 {
    RAN.with_borrow(|ran| ran.get(&number).copied().unwrap_or(0))
}

/// Forgets what ran.
pub(crate) fn forget() {
    RAN.with_borrow_mut(HashMap::clear);
}

/// Notes that it ran, and returns a number made of its own.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Count(pub(crate) u32);

impl Count {
    /// What the task of that number returns.
    pub(crate) fn output(number: u32) -> u64 {
        u64::from(number) * 0x1_0000_0001
    }
}

impl Task for Count {
    const NAME: &str = "count/1";
    type Output = u64;

    fn run(self) -> u64 {
        RAN.with_borrow_mut(|ran| *ran.entry(self.0).or_default() += 1);
        Self::output(self.0)
    }
}

/// Returns so many bytes.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bytes(pub(crate) usize);

impl Task for Bytes {
    const NAME: &str = "bytes/1";
    type Output = Vec<u8>;

    fn run(self) -> Vec<u8> {
        vec![7; self.0]
    }
}

/// Takes bytes, and returns their number.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Length(pub(crate) Vec<u8>);

impl Task for Length {
    const NAME: &str = "length/1";
    type Output = usize;

    fn run(self) -> usize {
        self.0.len()
    }
}

/// Panics.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Panics(pub(crate) String);

impl Task for Panics {
    const NAME: &str = "panics/1";
    type Output = ();

    fn run(self) {
        panic!("{}", self.0);
    }
}

/// Is in no table.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Missing;

impl Task for Missing {
    const NAME: &str = "missing/1";
    type Output = ();

    fn run(self) {}
}

/// Does not decode.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Odd;

impl<'de> Deserialize<'de> for Odd {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("it is odd"))
    }
}

impl Task for Odd {
    const NAME: &str = "odd/1";
    type Output = ();

    fn run(self) {}
}

/// Returns what does not decode.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ReturnsOdd;

impl Task for ReturnsOdd {
    const NAME: &str = "returns-odd/1";
    type Output = Odd;

    fn run(self) -> Odd {
        Odd
    }
}

pub(crate) type Table = (Count, (Bytes, Length, Panics), Odd, ReturnsOdd);
