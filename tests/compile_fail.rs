//! Programs that must not compile, and why.
//!
//! Each file in `compile_fail/` has one fault. Its first lines state the expected errors,
//! `//~ error-contains: …`. With `--cfg control` the same program has no fault and must compile, so
//! that no case fails for a wrong reason.
//!
//! The compiler makes code of the programs and does not only check them. It finds a task that is
//! too large for a slot only when it makes code for that task.
#![cfg(all(feature = "std", not(miri), not(loom)))]

use core::sync::atomic::{AtomicUsize, Ordering};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs, thread};

const EXPECTATION: &str = "//~ error-contains: ";

/// The crate under test. Cargo builds it with the flags of this run, in a folder of its own.
struct Library {
    file: PathBuf,
    dependencies: PathBuf,
}

impl Library {
    fn build(folder: &Path) -> Self {
        let build = Command::new(env!("CARGO"))
            .args([
                "build",
                "--package=slotted",
                "--lib",
                "--quiet",
                "--message-format=json-render-diagnostics",
                "--manifest-path",
            ])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
            .arg("--target-dir")
            .arg(folder)
            .output()
            .expect("Cargo can be run");
        assert!(
            build.status.success(),
            "{}",
            String::from_utf8_lossy(&build.stderr)
        );
        let messages = String::from_utf8(build.stdout).expect("Cargo speaks UTF-8");
        // Of all the JSON the test needs only one thing: the quoted path to libslotted-….rlib.
        let mut quoted = messages.split('"').filter(|text| text.ends_with(".rlib"));
        let file = quoted
            .find(|text| text.contains("libslotted"))
            .map(PathBuf::from)
            .expect("Cargo names what it built");
        let dependencies = file.parent().expect("the file is in a folder").join("deps");
        Self { file, dependencies }
    }

    /// Makes object code of a program.
    fn compile(&self, program: &Path, object: &Path, options: &[&str]) -> Output {
        Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
            .args([
                "--edition=2024",
                "--crate-type=bin",
                "--emit=obj",
                "--cap-lints=allow",
                "--color=never",
            ])
            .args(options)
            .arg("-L")
            .arg(format!("dependency={}", self.dependencies.display()))
            .arg("--extern")
            .arg(format!("slotted={}", self.file.display()))
            .arg("-o")
            .arg(object)
            .arg(program)
            .output()
            .expect("the compiler can be run")
    }

    /// Returns an error if the case compiles, or fails for a wrong reason.
    fn judge(&self, program: &Path, object: &Path) -> Result<(), String> {
        let text = fs::read_to_string(program).expect("the case can be read");
        let expected: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix(EXPECTATION))
            .collect();
        if expected.is_empty() {
            return Err(format!("has no `{EXPECTATION}`"));
        }
        let control = self.compile(program, object, &["--cfg=control"]);
        if !control.status.success() {
            return Err(format!(
                "without its fault, does not compile:\n{}",
                String::from_utf8_lossy(&control.stderr)
            ));
        }
        let faulty = self.compile(program, object, &[]);
        let errors = String::from_utf8_lossy(&faulty.stderr);
        if faulty.status.success() {
            return Err("compiles".into());
        }
        match expected
            .iter()
            .find(|expected| !errors.contains(**expected))
        {
            Some(missing) => Err(format!("fails without the error `{missing}`:\n{errors}")),
            None => Ok(()),
        }
    }
}

#[test]
fn faulty_programs_fail_to_compile_with_the_expected_errors() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_fail");
    let library = Library::build(&folder);
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_fail");
    let programs: Vec<PathBuf> = fs::read_dir(cases)
        .expect("the cases are there")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    assert!(!programs.is_empty());

    let next = AtomicUsize::new(0);
    let work = || {
        let mut wrong = Vec::new();
        while let Some(program) = programs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let name = program
                .file_stem()
                .expect("a case has a name")
                .to_string_lossy();
            if let Err(fault) = library.judge(program, &folder.join(format!("{name}.o"))) {
                wrong.push(format!("{name} {fault}"));
            }
        }
        wrong
    };
    let wrong: Vec<String> = thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("a case is judged without a panic"))
            .collect()
    });
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
