//! The test of the rules: it puts the sources out of order in every way that the rules know.

use crate::faults_of;
use crate::rules::measure_faults;
use crate::source::{Source, Sources, everywhere, sources};
use crate::table::{LONGEST_FILE, WIDEST_LINE};

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
            "list.rs",
            "use crate::registry::Registry;\n",
            "",
            "list uses `registry`",
        ),
        (
            "list.rs",
            "fn f() { crate::handle::g(); }\n",
            "",
            "list uses `handle`",
        ),
        (
            "slot/claim.rs",
            "use crate::worker;\n",
            "",
            "slot uses `worker`",
        ),
        (
            "list.rs",
            "use crate::{registry::Registry};\n",
            "",
            "list.rs has `crate::{`",
        ),
        (
            "list.rs",
            "\nuse super::registry::Registry;\n",
            "",
            "list.rs climbs",
        ),
        (
            "slot/claim.rs",
            "use super::super::registry::Registry;\n",
            "",
            "slot/claim.rs climbs",
        ),
        (
            "list.rs",
            "",
            "unsafe impl Sync for X {}\n",
            "list.rs has `unsafe`",
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
            "list.rs",
            "use portable_atomic::AtomicBool;\n",
            "",
            "list.rs names `portable_atomic`",
        ),
        (
            "registry.rs",
            "fn f() { critical_section::with(g); }\n",
            "",
            "registry.rs names `critical_section::`",
        ),
        (
            "idle.rs",
            "use core::sync::atomic::AtomicBool;\n",
            "",
            "idle.rs names `core::sync::`",
        ),
        (
            "worker.rs",
            "use std::sync::Mutex;\n",
            "",
            "worker.rs names `std::sync::`",
        ),
        (
            "idle.rs",
            "use loom::thread;\n",
            "",
            "idle.rs names `loom::`",
        ),
        (
            "idle.rs",
            "macro_rules! m { () => {} }\n",
            "",
            "idle.rs defines a macro",
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
        ("idle.rs", "", "mod models;\n", "idle.rs ships its tests"),
        (
            "roster.rs",
            "struct X {\n    pub(crate) mode: Cell<Mode>,\n}\n",
            "",
            "roster.rs opens `pub(crate) mode: Cell<Mode>`",
        ),
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
        faults_of(&surrounded("list.rs", "", said)),
        faults_of(&tidy)
    );

    // Entries of the table without use.
    let no_use = replaced(&tidy, "stats.rs", "#![forbid(unsafe_code)]\n".into());
    let bare = replaced(
        &replaced(&no_use, "slot/job.rs", String::new()),
        "unwind.rs",
        String::new(),
    );
    let faults = faults_of(&bare);
    for expected in [
        "stats does not use `sync`",
        "slot/job.rs has no `unsafe` any more",
        "unwind.rs does not forbid",
        "unwind.rs no longer names `std::sync::`",
    ] {
        assert!(
            faults.iter().any(|fault| fault.contains(expected)),
            "not found: {expected}; found: {faults:?}"
        );
    }
}

/// A file that is too long and a line that is too wide are found wherever they stand.
#[test]
fn each_fault_of_measure_is_found() {
    let texts = everywhere();
    for folder in ["src/", "tests/", "benches/", "examples/"] {
        assert!(
            texts.keys().any(|file| file.starts_with(folder)),
            "{folder}"
        );
    }
    let long = replaced(&texts, "tests/long.rs", "\n".repeat(LONGEST_FILE + 1));
    let wide = replaced(&long, "src/wide.rs", "é".repeat(WIDEST_LINE + 1));
    let faults = measure_faults(&wide);
    for expected in [
        "tests/long.rs has 601 lines",
        "src/wide.rs:1 has 101 columns",
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
