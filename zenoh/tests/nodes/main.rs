//! Pools and nodes over Zenoh, on this machine's loopback. The program of these tests is a node and
//! a worker process too, so the tests have no harness of the usual kind.

#[cfg(unix)]
mod ends;
#[cfg(unix)]
mod peer;
#[cfg(unix)]
mod proxy;
#[cfg(unix)]
mod table;

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    use libtest_mimic::{Arguments, Trial};

    slotted_remote::process::serve::<table::Table>();
    peer::play();
    let arguments = Arguments::from_args();
    let trials = ends::tests().into_iter().map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}
