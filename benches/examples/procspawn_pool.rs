//! The pool of processes of procspawn, as a peer of `remote/benches/processes.rs`, which starts
//! this program if it is built:
//!
//! `cargo build --release -p slotted-benches --example procspawn_pool`
//!
//! It measures the pool each time a line comes in: a round trip and a pipelined call, in ns. Its
//! arguments are the numbers of calls of both.

use std::collections::VecDeque;
use std::io::{Write, stdin, stdout};
use std::time::Instant;

use procspawn::{JoinHandle, Pool, SpawnError};

const OUTSTANDING: usize = 64;

fn square(number: u64) -> u64 {
    number * number
}

/// Nanoseconds of one call, which `run` makes for each number, with the sum of their results.
fn per_call(
    calls: u64,
    run: impl FnOnce(u64) -> Result<u64, SpawnError>,
) -> Result<f64, SpawnError> {
    let began = Instant::now();
    let sum = run(calls)?;
    let took = began.elapsed().as_nanos() as f64;
    assert_eq!(sum, (0..calls).map(square).sum());
    Ok(took / calls as f64)
}

fn round_trips(pool: &Pool, calls: u64) -> Result<u64, SpawnError> {
    (0..calls)
        .map(|number| pool.spawn(number, square).join())
        .sum()
}

fn pipelined(pool: &Pool, calls: u64) -> Result<u64, SpawnError> {
    let mut outstanding: VecDeque<JoinHandle<u64>> = VecDeque::with_capacity(OUTSTANDING);
    let mut sum = 0;
    for number in 0..calls {
        if outstanding.len() == OUTSTANDING {
            let first = outstanding.pop_front().expect("it is full");
            sum += first.join()?;
        }
        outstanding.push_back(pool.spawn(number, square));
    }
    for handle in outstanding {
        sum += handle.join()?;
    }
    Ok(sum)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    procspawn::init();
    let numbers: Result<Vec<u64>, _> = std::env::args().skip(1).map(|word| word.parse()).collect();
    let [calls, calls_pipelined] = numbers?[..] else {
        return Err("usage: procspawn_pool ROUND_TRIPS PIPELINED".into());
    };
    let pool = Pool::new(2)?;
    pool.spawn(1, square).join()?;
    println!("ready");
    for line in stdin().lines() {
        line?;
        let round_trip = per_call(calls, |calls| round_trips(&pool, calls))?;
        let pipelined = per_call(calls_pipelined, |calls| pipelined(&pool, calls))?;
        println!("{round_trip} {pipelined}");
        stdout().flush()?;
    }
    pool.shutdown();
    Ok(())
}
