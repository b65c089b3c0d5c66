//! The pool of processes. The program of these tests is a worker process too, so the tests have no
//! harness of the usual kind.

#[cfg(unix)]
mod conformance;
#[cfg(unix)]
mod crashes;
#[cfg(unix)]
mod lives;
#[cfg(all(unix, feature = "nodes"))]
mod nodes;
#[cfg(unix)]
mod part;
#[cfg(unix)]
mod pythons_way;
#[cfg(unix)]
mod table;

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    use libtest_mimic::{Arguments, Trial};

    part::play();
    slotted_remote::process::serve::<table::Table>();
    let arguments = Arguments::from_args();
    #[cfg_attr(
        not(feature = "nodes"),
        expect(unused_mut, reason = "there are no more")
    )]
    let mut tests = [
        crashes::tests(),
        conformance::tests(),
        lives::tests(),
        pythons_way::tests(),
    ]
    .concat();
    #[cfg(feature = "nodes")]
    tests.extend(nodes::tests());
    let trials = tests.into_iter().map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}
