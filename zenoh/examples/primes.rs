//! Counts primes on nodes of this machine.
//!
//! `primes nodes COUNT` starts nodes with two processes each. `primes submit LIMIT` counts the
//! primes below a limit with them: the ranges go to the nodes with the most free room.

use core::error::Error;
use core::time::Duration;
use std::io::Read;
use std::process::{Child, Stdio};

use serde::{Deserialize, Serialize};
use slotted::Shutdown;
use slotted_remote::Task;
use slotted_remote::nodes::{NodeOptions, Nodes};
use slotted_remote::process::{self, Command, Processes};

/// Where the submitter listens, and the nodes connect.
const ENDPOINT: &str = "tcp/127.0.0.1:7447";
const RANGE: u64 = 50_000;
const HELP: &str = "usage: primes nodes COUNT | primes submit LIMIT";

/// Counts the primes of a range.
#[derive(Serialize, Deserialize)]
struct CountPrimes {
    from: u64,
    below: u64,
}

impl Task for CountPrimes {
    const NAME: &str = "count-primes/1";
    type Output = u64;

    fn run(self) -> u64 {
        (self.from..self.below)
            .filter(|&number| is_prime(number))
            .count() as u64
    }
}

fn is_prime(number: u64) -> bool {
    number >= 2
        && (2..)
            .take_while(|divisor| divisor * divisor <= number)
            .all(|d| !number.is_multiple_of(d))
}

static WORKERS: Processes<2, 16, 64> = Processes::new();
static POOL: Nodes<8, 64, 64> = Nodes::new();

fn main() -> Result<(), Box<dyn Error>> {
    process::serve::<(CountPrimes,)>();
    let mut arguments = std::env::args().skip(1);
    let role = arguments.next();
    let number = arguments
        .next()
        .map(|number| number.parse::<u64>())
        .transpose()?;
    match (role.as_deref(), number) {
        (Some("nodes"), Some(count)) => nodes(count),
        (Some("node"), None) => node(),
        (Some("submit"), Some(limit)) => submit(limit),
        _ => Err(HELP.into()),
    }
}

/// Starts nodes, each a program of its own, and ends them with its own input.
fn nodes(count: u64) -> Result<(), Box<dyn Error>> {
    let start = |_| {
        let mut node = std::process::Command::new(std::env::current_exe()?);
        node.arg("node").stdin(Stdio::piped()).spawn()
    };
    let mut nodes = (0..count).map(start).collect::<Result<Vec<Child>, _>>()?;
    eprintln!("{count} nodes wait for a submitter at {ENDPOINT}");
    wait_for_the_end_of_input();
    for node in &mut nodes {
        drop(node.stdin.take());
        node.wait()?;
    }
    Ok(())
}

fn wait_for_the_end_of_input() {
    // An input that cannot be read has ended too.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

fn node() -> Result<(), Box<dyn Error>> {
    WORKERS.run(&Command::current_exe(), |workers| {
        let config = slotted_zenoh::peer(&[], &[ENDPOINT])?;
        let node = slotted_zenoh::serve(workers, "primes", config, NodeOptions::new())?;
        wait_for_the_end_of_input();
        // The submitters' other nodes get what has not begun.
        node.shutdown(Shutdown::Cancel)?;
        Ok(())
    })?
}

fn submit(limit: u64) -> Result<(), Box<dyn Error>> {
    slotted_zenoh::start(&POOL, "primes", slotted_zenoh::peer(&[ENDPOINT], &[])?)?;
    if !POOL.wait_for(2, Duration::from_secs(30)) {
        return Err("no two nodes came within 30 seconds: run `primes nodes 2`".into());
    }
    let ranges = (0..limit.div_ceil(RANGE)).map(|at| CountPrimes {
        from: at * RANGE,
        below: limit.min((at + 1) * RANGE),
    });
    let mut primes = 0;
    for counted in POOL.map(ranges) {
        primes += counted?;
    }
    println!("{primes} primes below {limit}");
    for (at, node) in POOL.nodes().iter().enumerate() {
        eprintln!("node {}: {} ranges ({})", at + 1, node.completed, node.name);
    }
    POOL.shutdown(Shutdown::Drain)?;
    Ok(())
}
