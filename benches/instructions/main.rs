//! Counts the instructions of an executor's operations with Valgrind:
//! `cargo bench --bench instructions`. With `-- --bless` it keeps the new counts.
//!
//! Counts hardly depend on the machine, and other programs do not change them. So a change of a few
//! percent shows. Each operation is counted in two processes that repeat it a different number of
//! times. The difference is the cost of the operation alone. The figures in `figures.txt` belong to
//! one version of the compiler. With another version nothing is compared.

mod figures;
mod operation;

use std::env;
use std::error::Error;
use std::process::{Command, ExitCode};

use figures::Figures;
use operation::OPERATIONS;

/// The share of the expected count by which a count may differ.
const TOLERANCE: f64 = 0.03;

/// How often each of the two processes does the operation.
const FEW: usize = 100;
const MANY: usize = 1100;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = env::args().skip(1).collect();
    // Cargo adds this to the arguments of every benchmark.
    arguments.retain(|argument| argument != "--bench");
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        [] => compare(),
        ["--bless"] => bless(),
        ["--count", name, times] => times
            .parse()
            .map_err(Into::into)
            .and_then(|times| operation::run(name, times)),
        _ => Err("cargo bench --bench instructions [-- --bless]".into()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            println!("FAILED: instructions: {fault}");
            ExitCode::FAILURE
        }
    }
}

/// Prints one line for each operation: `ok`, `FAILED` or `skipped`.
fn compare() -> Result<bool, Box<dyn Error>> {
    if let Some(reason) = impossible() {
        println!("skipped: instructions because {reason}");
        return Ok(true);
    }
    let figures = Figures::read()?;
    let compiler = compiler()?;
    if figures.compiler != compiler {
        println!(
            "skipped: instructions because the figures are those of {}, and this is {compiler}",
            figures.compiler
        );
        return Ok(true);
    }
    let mut good = true;
    for (name, _) in OPERATIONS {
        let count = count(name)?;
        let Some(expected) = figures.of(name) else {
            println!("FAILED: instructions of {name}: {count:.1}, and no figure to compare with");
            good = false;
            continue;
        };
        let change = count / expected - 1.0;
        let verdict = if change.abs() <= TOLERANCE {
            "ok"
        } else {
            "FAILED"
        };
        good &= change.abs() <= TOLERANCE;
        println!(
            "{verdict}: instructions of {name}: {count:.1}, expected {expected:.1} ({:+.1} %)",
            100.0 * change
        );
    }
    Ok(good)
}

fn bless() -> Result<bool, Box<dyn Error>> {
    if let Some(reason) = impossible() {
        return Err(reason.into());
    }
    let counts = OPERATIONS
        .iter()
        .map(|(name, _)| Ok(((*name).to_owned(), count(name)?)))
        .collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    let figures = Figures {
        compiler: compiler()?,
        counts,
    };
    figures.write()?;
    print!("{figures}");
    Ok(true)
}

/// The reason why this machine cannot count, if there is one.
fn impossible() -> Option<String> {
    if cfg!(not(all(target_arch = "x86_64", target_os = "linux"))) {
        return Some("the figures are those of Linux on x86-64".to_owned());
    }
    if cfg!(slotted_critical_section) {
        return Some("the figures are those of the desktop's locks".to_owned());
    }
    let there = Command::new("valgrind")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success());
    (!there).then(|| "there is no valgrind".to_owned())
}

fn compiler() -> Result<String, Box<dyn Error>> {
    let output = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .arg("--version")
        .output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Instructions of one operation.
fn count(name: &str) -> Result<f64, Box<dyn Error>> {
    let (few, many) = (instructions(name, FEW)?, instructions(name, MANY)?);
    Ok((many as f64 - few as f64) / (MANY - FEW) as f64)
}

/// Instructions of a process that does the operation `times` times.
fn instructions(name: &str, times: usize) -> Result<u64, Box<dyn Error>> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe()?)
        .args(["--count", name, &times.to_string()])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let printed = String::from_utf8_lossy(&output.stdout);
        return Err(format!("{name} under valgrind: {}\n{printed}{said}", output.status).into());
    }
    // Valgrind prints: ==PID== Collected : 1234
    let collected = said.lines().find_map(|line| line.split_once("Collected :"));
    Ok(collected
        .ok_or("valgrind did not say how many instructions it saw")?
        .1
        .trim()
        .parse()?)
}
