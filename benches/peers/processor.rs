//! What a peer's threads take from the processors.

use core::time::Duration;
use std::fs;
use std::path::Path;

/// Time on processors of all threads but the calling one, where the system tells. Threads that have
/// ended are forgotten.
pub fn time_of_others() -> Option<Duration> {
    let own = time(Path::new("/proc/thread-self"))?;
    let threads = fs::read_dir("/proc/self/task").ok()?;
    let all: Duration = threads
        .flatten()
        .filter_map(|thread| time(&thread.path()))
        .sum();
    Some(all.saturating_sub(own))
}

fn time(thread: &Path) -> Option<Duration> {
    let statistics = fs::read_to_string(thread.join("schedstat")).ok()?;
    Some(Duration::from_nanos(
        statistics.split_whitespace().next()?.parse().ok()?,
    ))
}
