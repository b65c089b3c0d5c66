//! Builds this program again, with slotted in the world of boards. Its locks are then critical
//! sections, which on a desktop are one mutex for the process.
//!
//! The compiler chooses the world, so a second executable is needed.

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// Builds the second executable beside the folder of this one, and returns its path.
pub fn build() -> Result<PathBuf, Box<dyn Error>> {
    // The path is TARGET/release/deps/peers-…
    let executable = env::current_exe()?;
    let target = executable
        .ancestors()
        .nth(3)
        .ok_or("this executable lies in no target folder")?;
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    eprintln!("building slotted with critical sections: once, a minute or two");
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "bench",
            "--bench",
            "peers",
            "--no-run",
            "--locked",
            "--message-format=json",
            "--manifest-path",
        ])
        .arg(manifest)
        .arg("--target-dir")
        .arg(target.join("critical-section"))
        .env("RUSTFLAGS", "--cfg slotted_critical_section")
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err("slotted could not be built with critical sections".into());
    }
    String::from_utf8(output.stdout)?
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == "peers")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .ok_or_else(|| "Cargo did not say where the executable is".into())
}
