//! The processor time that a peer's threads take.

use core::time::Duration;
use std::fs;
use std::path::Path;

/// Processor time of all threads but the calling one, if the operating system tells. Ended threads
/// do not count.
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
