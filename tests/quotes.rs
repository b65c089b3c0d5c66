//! The documentation's snippets that need other crates are parts of programs that are built: of a
//! board, or of the benchmarks' package. Each is marked `rust,ignore`, and stands in its program
//! word by word.
#![cfg(not(miri))]

use std::fs;
use std::path::Path;

const PROGRAMS: &[&str] = &[
    "examples/boards/cortex-m3-embassy/src/main.rs",
    "benches/examples/beside_tokio.rs",
];

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("it can be read")
}

/// The blocks of a page that no doctest compiles.
fn quotes(page: &str) -> impl Iterator<Item = &str> {
    page.split("\n```rust,ignore\n")
        .skip(1)
        .map(|rest| rest.split("```").next().expect("split yields a first part"))
}

fn pages() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/docs");
    let mut pages = vec![read("README.md")];
    for entry in fs::read_dir(folder).expect("the folder of pages") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(read(path));
        }
    }
    pages
}

#[test]
fn every_quote_stands_in_a_program_that_is_built() {
    let programs: Vec<String> = PROGRAMS.iter().map(read).collect();
    let pages = pages();
    let quotes: Vec<&str> = pages.iter().flat_map(|page| quotes(page)).collect();
    assert!(quotes.len() >= 8, "only {} quotes were found", quotes.len());
    for quote in quotes {
        assert!(
            programs.iter().any(|program| program.contains(quote)),
            "no program contains this quote:\n{quote}"
        );
    }
}
