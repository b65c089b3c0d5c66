//! Takes one sample, in a process of its own, and prints it as a line of JSON.

use core::time::Duration;
use std::error::Error;
use std::process;
use std::thread;

use serde_json::json;

use crate::arguments::Effort;
use crate::peer::{Found, peer};
use crate::probe::round_trip;
use crate::workload::Workload;

/// Longer than any sample takes. It keeps a hanging peer from hanging the suite.
pub const BOUND: Duration = Duration::from_secs(60);

/// The figures of a workload, in the order of its columns.
pub type Figures = Vec<f64>;

/// Measures `workload` with the named peer.
pub fn take(workload: &str, name: &str, effort: Effort) -> Result<(), Box<dyn Error>> {
    let workload = Workload::named(workload).ok_or("no such workload")?;
    let peer = peer(name).ok_or("no such peer")?;
    let Found::Here(run) = (peer.find)(workload) else {
        return Err("this peer cannot do this".into());
    };
    thread::spawn(|| {
        thread::sleep(BOUND);
        eprintln!("not done within {} s", BOUND.as_secs());
        process::exit(1);
    });
    let before = round_trip();
    let figures = run(effort);
    let after = round_trip();
    println!(
        "{}",
        json!({ "figures": figures, "round_trips": [before, after] })
    );
    // Some pools cannot be stopped. Their threads end with the process.
    process::exit(0);
}
