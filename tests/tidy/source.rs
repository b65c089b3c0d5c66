//! The sources, and their code without comments and literals.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The sources, by path below `src/`.
pub(crate) type Sources = BTreeMap<String, Source>;

#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) text: String,
    /// The text without comments, and without the contents of string and character literals.
    pub(crate) code: String,
    /// The place in `code` where the file's own tests and models begin.
    pub(crate) foot: usize,
}

impl Source {
    pub(crate) fn new(file: &str, text: String) -> Self {
        let code = code(&text);
        let tests = ["\n#[cfg(test)]\n", "\n#[cfg(all(test, "]
            .iter()
            .filter_map(|start| code.find(start))
            .min();
        let foot = match tests {
            _ if is_test(file) => 0,
            // lib.rs has no tests of its own, it only lists them.
            Some(line_break) if file != "lib.rs" => line_break + 1,
            _ => code.len(),
        };
        Self { text, code, foot }
    }

    /// The code that is not only for tests.
    pub(crate) fn shipped(&self) -> &str {
        &self.code[..self.foot]
    }
}

/// `slot` of `slot.rs` and of `slot/claim.rs`.
pub(crate) fn room_of(file: &str) -> &str {
    file.split_once('/')
        .map_or(file.trim_end_matches(".rs"), |(room, _)| room)
}

/// A module of its own that is only compiled for tests, or a file of one.
pub(crate) fn is_test(file: &str) -> bool {
    let is_test_module = |name| name == "tests" || name == "models";
    let mut names = file.trim_end_matches(".rs").rsplit('/');
    names.any(is_test_module)
}

pub(crate) fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

pub(crate) fn first_word(text: &str) -> &str {
    text.split(|character| !is_word(character))
        .next()
        .unwrap_or_default()
}

pub(crate) fn has_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + word.len()..]);
        !(before.ends_with(is_word) || word.ends_with(is_word) && after.starts_with(is_word))
    })
}

/// The text without comments, and without the contents of string and character literals. The lines
/// stay.
pub(crate) fn code(text: &str) -> String {
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

/// Returns true for the character `'a'`, and false for the lifetime `'a`.
pub(crate) fn is_character(rest: &str) -> bool {
    let mut characters = rest.chars();
    characters.next() == Some('\'')
        && (characters.next() == Some('\\') || characters.next() == Some('\''))
}

/// The length of the literal that `rest` starts with, its quotes included.
pub(crate) fn literal(rest: &str, quote: char) -> usize {
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

pub(crate) fn read(folder: &Path, prefix: &str, into: &mut Sources) {
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

pub(crate) fn sources() -> Sources {
    let mut sources = Sources::new();
    read(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        "",
        &mut sources,
    );
    sources
}

/// Every file of Rust, by path below the package. Build folders are left out.
pub(crate) fn everywhere() -> Sources {
    let mut texts = Sources::new();
    for folder in [
        "src", "tests", "benches", "examples", "remote", "trace", "zenoh",
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        read(&path, &format!("{folder}/"), &mut texts);
    }
    texts.retain(|file, _| !file.contains("/target/"));
    texts
}
