//! The guests: built by Cargo, run in QEMU.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::figure::Figure;

const TARGET: &str = "thumbv7m-none-eabi";
/// Seconds that a guest may take.
const BOUND: &str = "120";
const QEMU: &[&str] = &[
    "qemu-system-arm",
    "-M",
    "mps2-an385",
    "-nographic",
    "-monitor",
    "none",
    "-serial",
    "none",
    "-semihosting-config",
    "enable=on,target=native",
];
/// One instruction takes 2^8 ns of the guest's time.
const COUNTING: &[&str] = &["-icount", "shift=8"];

/// The program that brings a critical section of its own is built by itself.
const SECTIONS: &[&str] = &["--no-default-features", "--features", "timed-sections", "--bin", "sections_slotted"];

/// The folder of executables.
pub(crate) struct Guests {
    folder: PathBuf,
}

impl Guests {
    pub(crate) fn build() -> Result<Self, Box<dyn Error>> {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cortex-m3-budgets");
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            // Cargo was told it from our own working directory.
            Some(folder) => std::path::absolute(folder)?.join("guests"),
            None => project.join("target"),
        };
        for features in [&[][..], SECTIONS] {
            let mut cargo = Command::new("cargo");
            cargo
                .current_dir(&project)
                .args(["build", "--release", "--quiet", "--target-dir"])
                .arg(&target)
                .args(features);
            // The flags that link the guests are in their own configuration.
            cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("CARGO_BUILD_TARGET");
            if !cargo.status()?.success() {
                return Err("the guests could not be built".into());
            }
        }
        Ok(Self { folder: target.join(TARGET).join("release") })
    }

    pub(crate) fn path(&self, program: &str) -> PathBuf {
        self.folder.join(program)
    }

    pub(crate) fn read(&self, program: &str) -> Result<Vec<u8>, Box<dyn Error>> {
        let path = self.path(program);
        fs::read(&path).map_err(|error| format!("{}: {error}", path.display()).into())
    }

    /// Runs a program with a clock that counts its instructions. Gives the figures that it tells.
    pub(crate) fn figures(&self, program: &str) -> Result<Vec<Figure>, Box<dyn Error>> {
        let said = self.run(program, COUNTING)?;
        let figures = said.lines().map(str::parse).collect::<Result<Vec<Figure>, _>>();
        match figures {
            Ok(figures) if !figures.is_empty() => Ok(figures),
            Ok(_) => Err(format!("{program} told nothing").into()),
            Err(error) => Err(format!("{program}: {error}").into()),
        }
    }

    /// Runs a program. Gives what it printed.
    pub(crate) fn run(&self, program: &str, more: &[&str]) -> Result<String, Box<dyn Error>> {
        let output = Command::new("timeout")
            .arg(BOUND)
            .args(QEMU)
            .args(more)
            .arg("-kernel")
            .arg(self.path(program))
            .stdin(Stdio::null())
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            return Err(
                format!("{program}: {}: {said}{}", output.status, String::from_utf8_lossy(&output.stderr)).into()
            );
        }
        Ok(said.into_owned())
    }
}
