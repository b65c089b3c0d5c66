//! The test of the rules: it puts the sources out of order in every way that the rules know.

use crate::faults_of;
use crate::source::{Source, Sources, sources};
use crate::table::LONGEST_FILE;

/// The rules must find each fault and name it.
#[test]
fn each_fault_is_found() {
    /// The file, the text before its first line, the text after its last, and a sentence that must
    /// be among the faults.
    const FAULTS: &[(&str, &str, &str, &str)] = &[
        ("lib.rs", "", "mod cellar;\n", "\"cellar\"], the table"),
        ("lib.rs", "", "fn helper() {}\n", "lib.rs has a `fn`"),
        (
            "cellar.rs",
            "#![forbid(unsafe_code)]\n",
            "",
            "cellar.rs belongs to no room",
        ),
        (
            "cellar/deep.rs",
            "#![forbid(unsafe_code)]\n",
            "",
            "cellar/deep.rs belongs to no room",
        ),
        (
            "queue.rs",
            "use crate::registry::Registry;\n",
            "",
            "queue uses `registry`",
        ),
        (
            "queue.rs",
            "fn f() { crate::handle::g(); }\n",
            "",
            "queue uses `handle`",
        ),
        (
            "slot/claim.rs",
            "use crate::worker;\n",
            "",
            "slot uses `worker`",
        ),
        (
            "queue.rs",
            "use crate::{registry::Registry};\n",
            "",
            "queue.rs has `crate::{`",
        ),
        (
            "queue.rs",
            "\nuse super::registry::Registry;\n",
            "",
            "queue.rs climbs",
        ),
        (
            "slot/claim.rs",
            "use super::super::registry::Registry;\n",
            "",
            "slot/claim.rs climbs",
        ),
        (
            "queue.rs",
            "",
            "unsafe impl Sync for X {}\n",
            "queue.rs has `unsafe`",
        ),
        (
            "sync/std.rs",
            "",
            "fn f() { unsafe { g() } }\n",
            "sync/std.rs has `unsafe`",
        ),
        (
            "slot/other.rs",
            "",
            "fn f() {}\n",
            "slot/other.rs does not forbid",
        ),
        (
            "queue.rs",
            "use portable_atomic::AtomicBool;\n",
            "",
            "queue.rs names `portable_atomic`",
        ),
        (
            "registry.rs",
            "fn f() { critical_section::with(g); }\n",
            "",
            "registry.rs names `critical_section::`",
        ),
        (
            "state.rs",
            "use core::sync::atomic::AtomicBool;\n",
            "",
            "state.rs names `core::sync::`",
        ),
        (
            "worker.rs",
            "use std::sync::Mutex;\n",
            "",
            "worker.rs names `std::sync::`",
        ),
        (
            "state.rs",
            "use loom::thread;\n",
            "",
            "state.rs names `loom::`",
        ),
        (
            "state.rs",
            "macro_rules! m { () => {} }\n",
            "",
            "state.rs defines a macro",
        ),
        (
            "worker.rs",
            "fn f() { println!(\"x\"); }\n",
            "",
            "worker.rs has a `println!`",
        ),
        (
            "worker.rs",
            "fn f() { dbg!(1); }\n",
            "",
            "worker.rs has a `dbg!`",
        ),
        (
            "worker.rs",
            "fn f() { todo!() }\n",
            "",
            "worker.rs has a `todo!`",
        ),
        (
            "worker.rs",
            "fn f() { unimplemented!() }\n",
            "",
            "worker.rs has a `unimplemented!`",
        ),
        ("state.rs", "", "mod models;\n", "state.rs ships its tests"),
        (
            "stats.rs",
            "",
            "\n#[cfg(test)]\nmod tests {}\nfn f() {}\n",
            "stats.rs goes on after its tests",
        ),
    ];
    let tidy = sources();
    let surrounded = |file: &str, before: &str, after: &str| {
        let text = tidy.get(file).map_or("", |source| &source.text);
        replaced(&tidy, file, format!("{before}{text}{after}"))
    };
    for (file, before, after, expected) in FAULTS {
        let faults = faults_of(&surrounded(file, before, after));
        assert!(
            faults.iter().any(|fault| fault.contains(expected)),
            "{file}: not found: {expected}; found: {faults:?}"
        );
    }

    // The opposite: the contents of a comment or a string are no fault.
    let said = concat!(
        "// unsafe crate::registry todo!()\n",
        "/* loom:: */ const F: &str = \"unsafe \\\" std::sync::\";\n",
    );
    assert_eq!(
        faults_of(&surrounded("queue.rs", "", said)),
        faults_of(&tidy)
    );

    // A long file, and entries of the table without use.
    let long = replaced(
        &tidy,
        "stats.rs",
        "#![forbid(unsafe_code)]\n".repeat(LONGEST_FILE + 1),
    );
    let bare = replaced(
        &replaced(&long, "job.rs", String::new()),
        "unwind.rs",
        String::new(),
    );
    let faults = faults_of(&bare);
    for expected in [
        "stats.rs has 601 lines",
        "stats does not use `sync`",
        "job.rs has no `unsafe` any more",
        "unwind.rs does not forbid",
        "unwind.rs no longer names `std::sync::`",
    ] {
        assert!(
            faults.iter().any(|fault| fault.contains(expected)),
            "not found: {expected}; found: {faults:?}"
        );
    }
}

fn replaced(sources: &Sources, file: &str, text: String) -> Sources {
    let mut changed = sources.clone();
    changed.insert(file.to_string(), Source::new(file, text));
    changed
}
