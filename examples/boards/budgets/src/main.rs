//! Measures what `slotted` and its peers cost on a Cortex-M3, exactly: instructions, flash and RAM.
//!
//! ```sh
//! cargo run --release                          # measures all, compares it with budgets.txt
//! cargo run --release -- --bless               # measures everything and writes budgets.txt
//! cargo run --release -- --profile [PROGRAM]   # which functions the instructions of a round go to
//! cargo run --release -- --profile PROGRAM 301 # the same for the 301st section that it measures
//! cargo run --release -- --flash [PROGRAM]     # which functions the bytes of a program go to
//! ```
//!
//! The programs are those of `../cortex-m3-budgets`, optimized for size. They run in QEMU's
//! `mps2-an385` with a clock that counts instructions, so every run gives the same figures.
//! `qemu-system-arm` and the target `thumbv7m-none-eabi` must be installed.
//!
//! A check fails if a figure is too far above or below its budget. The limit is 3 %, 8 bytes or one
//! instruction, whichever is more. If a figure is below, lower its budget, so that later checks
//! keep the gain. Another compiler gives other figures. budgets.txt names its compiler.
//!
//! A check also fails if a host that looks at no step of `Park::note` has another image than one
//! that leaves the default.

mod budgets;
mod figure;
mod flash;
mod guest;
mod measure;
mod note;
mod profile;

use std::error::Error;
use std::process::ExitCode;

use crate::guest::Guests;

/// The program that `--profile` and `--flash` choose if the command line names none.
const ROUND_TRIP: &str = "round_slotted";
const SMALLEST: &str = "flash_slotted";

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let good = match arguments[..] {
        [] => {
            let guests = Guests::build()?;
            // Both, whatever comes of the first.
            budgets::check(&measure::everything(&guests)?)? & note::check(&guests)?
        }
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
