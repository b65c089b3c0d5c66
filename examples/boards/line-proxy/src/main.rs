//! Two boards, one line: `cargo run --release` builds the boards of `../remote-m3`, starts both in
//! QEMU, and passes bytes between their UARTs. It loses, flips, doubles and delays bytes, and it
//! resets boards.
//!
//! ```sh
//! cargo run --release                # all scenarios
//! cargo run --release -- 'one byte'  # those whose title has these words
//! ```
//!
//! Numbers from a seed decide what happens to a byte, so the same bytes meet the same fate in each
//! run. How many bytes there are depends on time. Lines that begin with `measured: ` tell what
//! varies.
//!
//! `qemu-system-arm` and the target `thumbv7m-none-eabi` must be installed.

mod board;
mod ledger;
mod line;
mod noise;
mod run;

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use crate::board::{Images, Role};
use crate::noise::Noise;
use crate::run::{Reset, Scenario};

const SCENARIOS: [Scenario; 5] = [
    Scenario {
        title: "a good line",
        noise: Noise::NONE,
        reset: None,
    },
    Scenario {
        title: "one byte in 250 is lost, flipped or doubled, some are late",
        noise: Noise::one_in(250),
        reset: None,
    },
    Scenario {
        title: "one byte in 50 is lost, flipped or doubled, some are late",
        noise: Noise::one_in(50),
        reset: None,
    },
    Scenario {
        title: "the worker is reset",
        noise: Noise::one_in(250),
        reset: Some(Reset {
            role: Role::Worker,
            after_tasks: 150,
        }),
    },
    Scenario {
        title: "the submitter is reset",
        noise: Noise::one_in(250),
        reset: Some(Reset {
            role: Role::Submitter,
            after_tasks: 150,
        }),
    },
];

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let images = Images::build()?;
    let (began, mut is_good) = (Instant::now(), true);
    for scenario in SCENARIOS.iter().filter(|it| it.title.contains(&wanted)) {
        is_good &= run::print(scenario, &images)?;
    }
    println!("measured: all in {} s", began.elapsed().as_secs());
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
