//! What `slotted` and its peers cost on a Cortex-M3, exactly: instructions, flash and RAM.
//!
//! ```sh
//! cargo run --release                          # measures everything and compares it with budgets.txt
//! cargo run --release -- --bless               # measures everything and writes budgets.txt
//! cargo run --release -- --profile [PROGRAM]   # which functions the instructions of a round go to
//! cargo run --release -- --profile PROGRAM 301 # the same for the 301st section that it measures
//! cargo run --release -- --flash [PROGRAM]     # which functions the bytes of a program go to
//! ```
//!
//! The programs are those of `../cortex-m3-budgets`, optimized for size. They run in QEMU's
//! `mps2-an385` with a clock that counts instructions (`qemu-system-arm` and the target
//! `thumbv7m-none-eabi` must be installed), so that every run gives the same figures.
//!
//! A check fails if a figure is more than 3 % (or 8 bytes, or one instruction, if that is more)
//! above its budget, and also if it is that much below: then the budget is to be lowered, so that
//! what was won is kept. Another compiler gives other figures: budgets.txt names the one that it
//! was written with.

mod budgets;
mod figure;
mod flash;
mod guest;
mod measure;
mod profile;

use std::error::Error;
use std::process::ExitCode;

use crate::guest::Guests;

/// What `--profile` and `--flash` look at if no program is named.
const ROUND_TRIP: &str = "round_slotted";
const SMALLEST: &str = "flash_slotted";

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let good = match arguments[..] {
        [] => budgets::check(&measure::everything(&Guests::build()?)?)?,
        ["--bless"] => budgets::bless(&measure::everything(&Guests::build()?)?)?,
        ["--profile"] => profile::print(&Guests::build()?, ROUND_TRIP, profile::ROUND)?,
        ["--profile", program] => profile::print(&Guests::build()?, program, profile::ROUND)?,
        ["--profile", program, section] => {
            profile::print(&Guests::build()?, program, section.parse()?)?
        }
        ["--flash"] => flash::print(&Guests::build()?, SMALLEST)?,
        ["--flash", program] => flash::print(&Guests::build()?, program)?,
        _ => {
            return Err(
                "usage: budgets [--bless | --profile [PROGRAM [SECTION]] | --flash [PROGRAM]]"
                    .into(),
            );
        }
    };
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
