//! How much memory the process has.

/// The resident set, in KiB.
///
/// # Errors
///
/// Why it cannot be known here.
pub(crate) fn resident_kibibytes() -> Result<u64, String> {
    const FILE: &str = "/proc/self/status";
    let status = std::fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}"))?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"))
        .and_then(|figure| figure.parse().ok())
        .ok_or_else(|| format!("{FILE} has no VmRSS"))
}
