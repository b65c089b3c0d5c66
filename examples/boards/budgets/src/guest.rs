//! The guest programs: Cargo builds them, QEMU runs them.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::figure::Figure;

const TARGET: &str = "thumbv7m-none-eabi";
/// The time limit of a guest, in seconds.
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
    // One instruction takes 2^8 ns of the guest's time.
    "-icount",
    "shift=8",
    "-kernel",
];
/// QEMU translates one instruction at a time and logs each.
const LOGGING: &[&str] = &["-singlestep", "-d", "nochain,exec"];
/// More instructions than a program executes before the section that the profile looks for.
const LONGEST_TRACE: usize = 50_000_000;

/// The features of these programs change others, so Cargo builds them separately. The first group
/// has its own critical section. embassy's timers make its tasks larger.
const APART: [&[&str]; 2] = [
    &[
        "--no-default-features",
        "--features",
        "timed-sections,peer-timers",
        "--bin",
        "sections_slotted",
        "--bin",
        "sections_peers",
    ],
    &[
        "--features",
        "peer-timers",
        "--bin",
        "timer_embassy",
        "--bin",
        "timer_rtic",
        "--bin",
        "flash_embassy_timer",
        "--bin",
        "flash_rtic_timer",
    ],
];

/// The guests, and the folder of their executables.
pub(crate) struct Guests {
    folder: PathBuf,
    project: PathBuf,
    target: PathBuf,
}

/// Runs Cargo with the guests' own configuration, which has the flags for the linker.
fn run_cargo(cargo: &mut Command) -> Result<(), Box<dyn Error>> {
    cargo
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET");
    if cargo.status()?.success() {
        Ok(())
    } else {
        Err("the guests could not be built".into())
    }
}

impl Guests {
    pub(crate) fn build() -> Result<Self, Box<dyn Error>> {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cortex-m3-budgets");
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            // Cargo resolves it against this program's working directory.
            Some(folder) => std::path::absolute(folder)?.join("guests"),
            None => project.join("target"),
        };
        for features in [&[][..]].into_iter().chain(APART) {
            let mut cargo = Command::new("cargo");
            cargo
                .current_dir(&project)
                .args(["build", "--release", "--quiet", "--target-dir"])
                .arg(&target)
                .args(features);
            run_cargo(&mut cargo)?;
        }
        Ok(Self {
            folder: target.join(TARGET).join("release"),
            project,
            target,
        })
    }

    /// Builds one program with further conditions, which change none of its symbols' names.
    /// Returns its executable.
    pub(crate) fn variant(
        &self,
        program: &str,
        conditions: &[&str],
    ) -> Result<Vec<u8>, Box<dyn Error>> {
        let mut cargo = Command::new("cargo");
        cargo
            .current_dir(&self.project)
            .args(["rustc", "--release", "--quiet", "--target-dir"])
            .arg(&self.target)
            .args(["--bin", program, "--"]);
        for condition in conditions {
            cargo.args(["--cfg", condition]);
        }
        run_cargo(&mut cargo)?;
        self.read(program)
    }

    pub(crate) fn path(&self, program: &str) -> PathBuf {
        self.folder.join(program)
    }

    pub(crate) fn read(&self, program: &str) -> Result<Vec<u8>, Box<dyn Error>> {
        let path = self.path(program);
        fs::read(&path).map_err(|error| format!("{}: {error}", path.display()).into())
    }

    /// Runs a program with a clock that counts its instructions. Returns the figures that it
    /// prints.
    pub(crate) fn figures(&self, program: &str) -> Result<Vec<Figure>, Box<dyn Error>> {
        let said = self.run(program)?;
        let figures = said
            .lines()
            .map(str::parse)
            .collect::<Result<Vec<Figure>, _>>();
        match figures {
            Ok(figures) if !figures.is_empty() => Ok(figures),
            Ok(_) => Err(format!("{program} told nothing").into()),
            Err(error) => Err(format!("{program}: {error}").into()),
        }
    }

    /// Runs a program. Returns what it prints.
    fn run(&self, program: &str) -> Result<String, Box<dyn Error>> {
        let mut qemu = Command::new("timeout");
        let output = qemu
            .arg(BOUND)
            .args(QEMU)
            .arg(self.path(program))
            .stdin(Stdio::null())
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            return Err(format!(
                "{program}: {}: {said}{}",
                output.status,
                String::from_utf8_lossy(&output.stderr)
            )
            .into());
        }
        Ok(said.into_owned())
    }

    /// Runs a program and passes the address of each instruction to `see`, until `see` returns a
    /// value.
    pub(crate) fn trace<R>(
        &self,
        program: &str,
        see: impl FnMut(u64) -> Option<R>,
    ) -> Result<Option<R>, Box<dyn Error>> {
        let mut qemu = Command::new(QEMU[0]);
        qemu.args(LOGGING).args(&QEMU[1..]).arg(self.path(program));
        let mut qemu = qemu
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = qemu.stderr.take().ok_or("there is no log")?;
        // The log has lines of the form Trace 0: 0x7f… [00000000/000004a0/00000110/ff000201] …
        let found = BufReader::new(log)
            .lines()
            .take(LONGEST_TRACE)
            .map_while(Result::ok)
            .filter_map(|line| u64::from_str_radix(line.split('/').nth(1)?, 16).ok())
            .find_map(see);
        // QEMU may have ended already.
        let _ = qemu.kill();
        qemu.wait()?;
        Ok(found)
    }
}
