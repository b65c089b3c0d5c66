//! The laws of the house, checked against the sources: who may use whom, where `unsafe` and the
//! names of atomics and locks may stand, how long a file may be.
//!
//! A new edge is a design change: alter [`ROOMS`] in a commit of its own and argue for it there.
#![cfg(not(miri))]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// One module of the crate root: `src/NAME.rs` and the files of `src/NAME/`.
struct Room {
    name: &'static str,
    /// The rooms it uses: exactly these, all of them further up.
    uses: &'static [&'static str],
    /// The files of the room in which `unsafe` stands. All others forbid it.
    unsafe_in: &'static [&'static str],
}

const fn room(name: &'static str, uses: &'static [&'static str]) -> Room {
    Room {
        name,
        uses,
        unsafe_in: &[],
    }
}

const fn room_with_unsafe(
    name: &'static str,
    unsafe_in: &'static [&'static str],
    uses: &'static [&'static str],
) -> Room {
    Room {
        name,
        uses,
        unsafe_in,
    }
}

/// Every room, in the order of `lib.rs`: a room uses only rooms above it.
#[rustfmt::skip]
const ROOMS: &[Room] = &[
    // A value behind a critical section may be shared.
    room_with_unsafe("sync", &["sync/critical_section.rs"], &[]),
    room("unwind", &[]),
    room("error", &["unwind"]),
    room("host", &[]),
    room("state", &["sync"]),
    // Types and bytes.
    room_with_unsafe("job", &["job.rs"], &["unwind", "error", "state"]),
    room("queue", &["sync"]),
    // Who may touch the bytes when.
    room_with_unsafe("slot", &["slot.rs", "slot/claim.rs", "slot/receiver.rs"], &["sync", "unwind", "error", "state", "job", "queue"]),
    // The count of a scope is lowered through a pointer: the scope may be gone at once.
    room_with_unsafe("tally", &["tally.rs"], &["sync", "unwind", "error", "host"]),
    room("waiter", &["host", "queue"]),
    // Where things are in an executor's memory; functions that are known late.
    room_with_unsafe("registry", &["registry/memory.rs", "registry/late.rs"], &["sync", "unwind", "error", "host", "state", "queue", "slot", "waiter"]),
    // A callback meets the outcome it was added for; a scope's tally lives while it counts.
    room_with_unsafe("completion", &["completion.rs"], &["sync", "unwind", "error", "host", "queue", "slot", "tally", "waiter", "registry"]),
    room("blocking", &["sync", "error", "host", "queue", "slot", "waiter", "registry", "completion"]),
    // The pointer for C entry points.
    room_with_unsafe("worker", &["worker.rs"], &["sync", "unwind", "host", "waiter", "registry", "completion"]),
    room("spawn", &["host", "worker"]),
    // The lifetime of a lent executor.
    room_with_unsafe("start", &["start.rs"], &["sync", "unwind", "error", "host", "waiter", "registry", "blocking", "worker", "spawn"]),
    // A waker is one pointer, made by hand.
    room_with_unsafe("waker", &["waker.rs"], &["host", "slot", "registry"]),
    room("canceller", &["host", "state", "queue", "registry", "completion"]),
    room("handle", &["unwind", "error", "host", "slot", "waiter", "registry", "completion", "blocking", "canceller"]),
    room("permit", &["error", "host", "job", "slot", "registry", "handle"]),
    room("intake", &["error", "host", "job", "queue", "slot", "registry", "blocking", "handle", "permit"]),
    room("promise", &["sync", "error", "host", "state", "slot", "registry", "completion"]),
    room("group", &["unwind", "host", "queue", "slot", "waiter", "registry", "completion", "blocking", "handle"]),
    room("wait", &["host", "waiter", "blocking", "handle", "group"]),
    room("as_completed", &["host", "waiter", "blocking", "handle", "group"]),
    room("map", &["unwind", "error", "host", "job", "waiter", "blocking", "handle", "permit", "intake", "group"]),
    // Closures that borrow, and the borrow of the tally.
    room_with_unsafe("scope", &["scope.rs"], &["sync", "unwind", "error", "host", "job", "slot", "tally", "waiter", "registry", "completion", "blocking", "handle", "permit", "intake", "map"]),
    room("stats", &["sync", "host", "state", "registry"]),
    room("executor", &["sync", "error", "host", "state", "job", "registry", "completion", "blocking", "worker", "spawn", "start", "waker", "handle", "permit", "intake", "promise", "map", "scope", "stats"]),
];

/// What only `sync` may name, in any of its worlds.
const SOLE_NAMER: &str = "sync";
const SYNC_NAMES: &[&str] = &[
    "portable_atomic",
    "critical_section::",
    "core::sync::",
    "std::sync::",
    "loom::",
];

/// File, name, and why it may stand there nevertheless.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "unwind.rs",
        "std::sync::",
        "a panic payload is only `Send`: a mutex nobody waits for makes its owner `Sync`",
    ),
    (
        "host/std.rs",
        "std::sync::",
        "the first reading of the clock is kept in a `OnceLock`; it synchronizes no task",
    ),
];

/// What never stands in a library's code.
const NEVER: &[&str] = &[
    "println!",
    "eprintln!",
    "print!",
    "eprint!",
    "dbg!",
    "todo!",
    "unimplemented!",
];

const LONGEST_FILE: usize = 600;

/// The sources, by path below `src/`.
type Sources = BTreeMap<String, Source>;

#[derive(Clone)]
struct Source {
    text: String,
    /// The text without comments and without what stands in string and character literals.
    code: String,
    /// Where in `code` the file's own tests and models begin.
    foot: usize,
}

impl Source {
    fn new(file: &str, text: String) -> Self {
        let code = code(&text);
        let tests = ["\n#[cfg(test)]\n", "\n#[cfg(all(test, "]
            .iter()
            .filter_map(|start| code.find(start))
            .min();
        let foot = match tests {
            _ if is_test(file) => 0,
            // lib.rs has none, it only lists them.
            Some(line_break) if file != "lib.rs" => line_break + 1,
            _ => code.len(),
        };
        Self { text, code, foot }
    }

    /// The code that is not only for tests.
    fn shipped(&self) -> &str {
        &self.code[..self.foot]
    }
}

/// What each rule finds wrong, one sentence for each fault.
const RULES: &[fn(&Sources) -> Vec<String>] = &[
    lib_lists_the_rooms,
    lib_has_no_logic,
    rooms_use_what_the_table_says,
    the_table_goes_one_way,
    unsafe_stands_where_the_table_says,
    only_sync_names_atomics_and_locks,
    only_sync_defines_macros,
    nothing_is_printed_or_left_undone,
    tests_stand_at_the_foot,
    files_are_short,
];

fn lib_lists_the_rooms(sources: &Sources) -> Vec<String> {
    let lib = &sources["lib.rs"].code;
    let listed: Vec<&str> = lib
        .lines()
        .filter_map(|line| {
            line.trim_start_matches("pub(crate) ")
                .trim_start_matches("pub ")
                .strip_prefix("mod ")
        })
        .filter_map(|rest| rest.strip_suffix(';'))
        .filter(|name| !is_test(name))
        .collect();
    let rooms: Vec<&str> = ROOMS.iter().map(|room| room.name).collect();
    let mut faults = Vec::new();
    if listed != rooms {
        faults.push(format!("lib.rs lists {listed:?}, the table {rooms:?}"));
    }
    for file in sources
        .keys()
        .filter(|file| *file != "lib.rs" && !is_test(file))
    {
        if !rooms.contains(&room_of(file)) {
            faults.push(format!("{file} belongs to no room of the table"));
        }
    }
    faults
}

fn lib_has_no_logic(sources: &Sources) -> Vec<String> {
    let lib = &sources["lib.rs"].code;
    [
        "fn",
        "impl",
        "struct",
        "enum",
        "trait",
        "static",
        "const",
        "macro_rules",
    ]
    .iter()
    .filter(|word| has_word(lib, word))
    .map(|word| format!("lib.rs has a `{word}`: it only lists and re-exports"))
    .collect()
}

fn rooms_use_what_the_table_says(sources: &Sources) -> Vec<String> {
    let mut faults = Vec::new();
    let mut used: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (file, Source { code, .. }) in sources
        .iter()
        .filter(|(file, _)| *file != "lib.rs" && !is_test(file))
    {
        let named = code.split("crate::").skip(1).map(first_word);
        used.entry(room_of(file)).or_default().extend(
            named
                .filter(|name| *name != room_of(file))
                .map(String::from),
        );
        for grouped in ["crate::{", "core::{", "std::{"] {
            if code.contains(grouped) {
                faults.push(format!(
                    "{file} has `{grouped}`: one `use` for each module, so that edges can be read"
                ));
            }
        }
        let climbs = if file.contains('/') {
            "super::super::"
        } else {
            "\nuse super::"
        };
        if code.contains(climbs) {
            faults.push(format!(
                "{file} climbs to the crate root by `super`: say `crate::`"
            ));
        }
    }
    for room in ROOMS {
        let used = used.remove(room.name).unwrap_or_default();
        for name in &used {
            if !room.uses.contains(&name.as_str()) {
                faults.push(format!(
                    "{} uses `{name}`, which the table does not allow",
                    room.name
                ));
            }
        }
        for name in room.uses {
            if !used.contains(*name) {
                faults.push(format!(
                    "{} does not use `{name}`: strike it from the table",
                    room.name
                ));
            }
        }
    }
    faults
}

fn the_table_goes_one_way(_: &Sources) -> Vec<String> {
    let mut faults = Vec::new();
    for (place, room) in ROOMS.iter().enumerate() {
        for name in room.uses {
            if !ROOMS[..place].iter().any(|above| above.name == *name) {
                faults.push(format!(
                    "{} may use `{name}`, which does not stand above it",
                    room.name
                ));
            }
        }
    }
    faults
}

fn unsafe_stands_where_the_table_says(sources: &Sources) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, Source { code, .. }) in sources {
        let room = ROOMS.iter().find(|room| room.name == room_of(file));
        let allowed = room.is_some_and(|room| room.unsafe_in.contains(&file.as_str()));
        match (has_word(code, "unsafe"), allowed) {
            (true, false) => faults.push(format!(
                "{file} has `unsafe`, which the table does not allow"
            )),
            (false, true) => faults.push(format!(
                "{file} has no `unsafe` any more: strike it from the table"
            )),
            _ => {}
        }
        // The attribute reaches a module's child files: lib.rs and the parent of a file with
        // `unsafe` cannot have it.
        let parent = format!("{}.rs", room_of(file));
        let reaches_unsafe = file == "lib.rs"
            || *file == parent && room.is_some_and(|room| !room.unsafe_in.is_empty());
        if !allowed
            && !reaches_unsafe
            && ![file, &parent]
                .iter()
                .any(|file| forbids_unsafe(sources, file))
        {
            faults.push(format!("{file} does not forbid `unsafe`"));
        }
    }
    for (room, file) in ROOMS
        .iter()
        .flat_map(|room| room.unsafe_in.iter().map(move |file| (room, *file)))
    {
        if !sources.contains_key(file) || room_of(file) != room.name {
            faults.push(format!("{} has no file {file}", room.name));
        }
    }
    faults
}

fn forbids_unsafe(sources: &Sources, file: &str) -> bool {
    sources
        .get(file)
        .is_some_and(|source| source.code.contains("#![forbid(unsafe_code)]"))
}

fn only_sync_names_atomics_and_locks(sources: &Sources) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, source) in sources
        .iter()
        .filter(|(file, _)| room_of(file) != SOLE_NAMER)
    {
        let shipped = source.shipped();
        for name in SYNC_NAMES {
            let excepted = EXCEPTIONS
                .iter()
                .any(|(place, what, _)| place == file && what == name);
            match (shipped.contains(name), excepted) {
                (true, false) => faults.push(format!(
                    "{file} names `{name}`, which only `{SOLE_NAMER}` may"
                )),
                (false, true) => faults.push(format!(
                    "{file} no longer names `{name}`: strike the exception"
                )),
                _ => {}
            }
        }
    }
    faults
}

fn only_sync_defines_macros(sources: &Sources) -> Vec<String> {
    let elsewhere = sources
        .iter()
        .filter(|(file, _)| room_of(file) != SOLE_NAMER);
    elsewhere
        .filter(|(_, source)| has_word(&source.code, "macro_rules"))
        .map(|(file, _)| format!("{file} defines a macro, which only `{SOLE_NAMER}` may"))
        .collect()
}

fn nothing_is_printed_or_left_undone(sources: &Sources) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, Source { code, .. }) in sources {
        for name in NEVER.iter().filter(|name| has_word(code, name)) {
            faults.push(format!("{file} has a `{name}`"));
        }
    }
    faults
}

/// Because the other rules look away there.
fn tests_stand_at_the_foot(sources: &Sources) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, source) in sources {
        let starts_an_item = |line: &&str| !line.is_empty() && !line.starts_with([' ', '}']);
        let mut tests = source.code[source.foot..].lines().filter(starts_an_item);
        if !is_test(file)
            && tests.any(|line| !line.starts_with("#[cfg(") && !line.starts_with("mod "))
        {
            faults.push(format!("{file} goes on after its tests"));
        }
        let mut before = "";
        for line in source.code.lines() {
            let module = line
                .trim_start_matches("pub(crate) ")
                .strip_prefix("mod ")
                .unwrap_or_default();
            if is_test(first_word(module))
                && !before.starts_with("#[cfg(test)]")
                && !before.starts_with("#[cfg(all(test, ")
            {
                faults.push(format!("{file} ships its tests"));
            }
            before = line;
        }
    }
    faults
}

fn files_are_short(sources: &Sources) -> Vec<String> {
    sources
        .iter()
        .map(|(file, source)| (file, source.text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST_FILE)
        .map(|(file, lines)| {
            format!("{file} has {lines} lines, more than {LONGEST_FILE}: look for the second noun")
        })
        .collect()
}

/// `slot` of `slot.rs` and of `slot/claim.rs`.
fn room_of(file: &str) -> &str {
    file.split_once('/')
        .map_or(file.trim_end_matches(".rs"), |(room, _)| room)
}

/// A module of its own that is only compiled for tests.
fn is_test(file: &str) -> bool {
    let name = file
        .trim_end_matches(".rs")
        .rsplit('/')
        .next()
        .unwrap_or_default();
    name == "tests" || name == "models"
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn first_word(text: &str) -> &str {
    text.split(|character| !is_word(character))
        .next()
        .unwrap_or_default()
}

fn has_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + word.len()..]);
        !(before.ends_with(is_word) || word.ends_with(is_word) && after.starts_with(is_word))
    })
}

/// The text without comments and without what stands in string and character literals; the lines
/// stay.
fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("r\"") || rest.starts_with("r#\"") {
            let end = if rest.starts_with("r\"") { "\"" } else { "\"#" };
            let start = rest.find('"').map_or(rest.len(), |quote| quote + 1);
            rest[start..]
                .find(end)
                .map_or(rest.len(), |at| start + at + end.len())
        } else if next == '"' || is_character(rest) {
            literal(rest, next)
        } else {
            code.push(next);
            rest = &rest[next.len_utf8()..];
            continue;
        };
        let (gone, left) = rest.split_at(skipped);
        code.extend(gone.chars().filter(|character| *character == '\n'));
        rest = left;
    }
    code
}

/// Tells `'a'` from the lifetime `'a`.
fn is_character(rest: &str) -> bool {
    let mut characters = rest.chars();
    characters.next() == Some('\'')
        && (characters.next() == Some('\\') || characters.next() == Some('\''))
}

/// The length of the literal that `rest` starts with, its quotes included.
fn literal(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn read(folder: &Path, prefix: &str, into: &mut Sources) {
    for entry in fs::read_dir(folder).expect("the sources are there") {
        let entry = entry.expect("the folder can be read");
        let name = entry
            .file_name()
            .into_string()
            .expect("file names are ASCII");
        if entry.path().is_dir() {
            read(&entry.path(), &format!("{prefix}{name}/"), into);
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(entry.path()).expect("sources are text");
            into.insert(
                format!("{prefix}{name}"),
                Source::new(&format!("{prefix}{name}"), text),
            );
        }
    }
}

fn sources() -> Sources {
    let mut sources = Sources::new();
    read(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        "",
        &mut sources,
    );
    sources
}

#[test]
fn the_house_is_tidy() {
    let sources = sources();
    let faults: Vec<String> = RULES.iter().flat_map(|rule| rule(&sources)).collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// Puts the sources out of order in every way the rules know of: each must be seen, and by name.
#[test]
fn each_fault_is_found() {
    /// File, what is put before its first line, what is put after its last, a sentence that must
    /// then be among the faults.
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
    let faults_of = |sources: &Sources| -> Vec<String> {
        RULES.iter().flat_map(|rule| rule(sources)).collect()
    };
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

    // And the opposite: what is only said, in a comment or a string, is no fault.
    let said = "// unsafe crate::registry todo!()\n/* loom:: */ const F: &str = \"unsafe \\\" std::sync::\";\n";
    assert_eq!(
        faults_of(&surrounded("queue.rs", "", said)),
        faults_of(&tidy)
    );

    // Length, and what the table says in vain.
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
