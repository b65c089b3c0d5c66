//! The programs of slotted's differential tests, through `ProcessPoolExecutor` and through
//! `Processes`. The program of these tests is a worker process too.

#[cfg(unix)]
#[path = "../../../tests/differential/beside.rs"]
mod beside;
#[cfg(unix)]
#[expect(dead_code, reason = "processes have other gates")]
#[path = "../../../tests/differential/board.rs"]
mod board;
#[cfg(unix)]
#[path = "../../../tests/differential/differences.rs"]
mod differences;
#[cfg(unix)]
#[path = "../../../tests/differential/plan.rs"]
mod plan;
#[cfg(unix)]
#[path = "../../../tests/differential/play.rs"]
mod play;
#[cfg(unix)]
mod processes;
#[cfg(unix)]
#[path = "../../../tests/differential/program.rs"]
mod program;
#[cfg(unix)]
#[path = "../../../tests/differential/random.rs"]
mod random;
#[cfg(unix)]
#[path = "../../../tests/differential/rule.rs"]
mod rule;
#[cfg(unix)]
#[path = "../../../tests/differential/sides.rs"]
mod sides;
#[cfg(unix)]
#[path = "../../../tests/differential/state.rs"]
mod state;
#[cfg(unix)]
#[path = "../../../tests/differential/table.rs"]
mod table;
#[cfg(unix)]
#[path = "../../../tests/differential/world.rs"]
mod world;

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    use libtest_mimic::{Arguments, Trial};

    slotted_remote::process::serve::<processes::Table>();
    let arguments = Arguments::from_args();
    let trials = processes::tests().map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    libtest_mimic::run(&arguments, Vec::from(trials)).exit_code()
}
