//! The rules.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Source, Sources, first_word, has_word, is_test, room_of};
use crate::table::{
    EXCEPTIONS, LOCKED_TYPES, LONGEST_FILE, NEVER, ROOMS, SOLE_NAMER, SYNC_NAMES, WIDEST_LINE,
};

/// Each rule returns one sentence for each fault that it finds.
pub(crate) const RULES: &[fn(&Sources) -> Vec<String>] = &[
    lib_lists_the_rooms,
    lib_has_no_logic,
    rooms_use_what_the_table_says,
    the_table_goes_one_way,
    unsafe_stands_where_the_table_says,
    only_sync_names_atomics_and_locks,
    only_sync_defines_macros,
    nothing_is_printed_or_left_undone,
    tests_stand_at_the_foot,
    fields_of_locked_types_are_private,
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

/// The other rules look away from tests, so tests stand at the end of a file.
fn tests_stand_at_the_foot(sources: &Sources) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, source) in sources {
        let starts_an_item = |line: &&str| !line.is_empty() && !line.starts_with([' ', '}']);
        let mut tests = source.code[source.foot..].lines().filter(starts_an_item);
        if !is_test(file)
            && tests.any(|line| {
                let item = line.trim_start_matches("pub(crate) ");
                !item.starts_with("#[cfg(") && !item.starts_with("mod ")
            })
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

/// The contents of a lock are `Cell`s and lists of them. Another room may not set them, so they are
/// private to the file, or to its children.
fn fields_of_locked_types_are_private(sources: &Sources) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, source) in sources {
        for line in source.shipped().lines() {
            let line = line.trim();
            let opens = LOCKED_TYPES
                .iter()
                .any(|locked| line.contains(&format!(": {locked}")));
            if line.starts_with("pub") && opens && line.ends_with(',') {
                let field = line.trim_end_matches(',');
                faults.push(format!("{file} opens `{field}`, which a lock guards"));
            }
        }
    }
    faults
}

/// Faults of length and width, in every file of Rust.
pub(crate) fn measure_faults(texts: &Sources) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, source) in texts {
        let lines = source.text.lines().count();
        if lines > LONGEST_FILE {
            faults.push(format!(
                "{file} has {lines} lines, more than {LONGEST_FILE}: look for the second noun"
            ));
        }
        for (number, line) in (1..).zip(source.text.lines()) {
            let columns = line.chars().count();
            if columns > WIDEST_LINE {
                faults.push(format!(
                    "{file}:{number} has {columns} columns, more than {WIDEST_LINE}"
                ));
            }
        }
    }
    faults
}
