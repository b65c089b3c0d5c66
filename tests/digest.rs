//! The `digest` example as its user at a shell sees it: what it prints, where, and its exit status.
#![cfg(all(feature = "std", not(miri)))] // Miri starts no processes

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// From the published BLAKE3 test vectors, whose input is the bytes 0 to 250 over and over.
const VECTORS: [(usize, &str); 5] = [
    (
        0,
        "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
    ),
    (
        1,
        "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
    ),
    (
        1024,
        "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7",
    ),
    (
        1025,
        "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444",
    ),
    // More than one chunk of the example's reader.
    (
        102_400,
        "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085",
    ),
];

fn vector(length: usize) -> Vec<u8> {
    (0..=250).cycle().take(length).collect()
}

/// What `wc -l` counts.
fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte == b'\n').count()
}

fn digest() -> Command {
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["run", "--quiet", "--example", "digest", "--"])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    command.stdin(Stdio::null());
    command
}

fn run(arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Output {
    digest()
        .args(arguments.into_iter().map(Into::into))
        .output()
        .expect("cargo runs")
}

/// One line of output for a file: bytes, newlines, digest, path.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row(String, String, String, String);

/// The rows, and the total that follows them.
fn rows(output: &Output) -> (Vec<Row>, String) {
    let text = String::from_utf8(output.stdout.clone()).expect("the paths of this test are UTF-8");
    let mut lines: Vec<&str> = text.lines().collect();
    let total = lines.pop().expect("there is always a total");
    let rows = lines.into_iter().map(|line| {
        let (bytes, rest) = line
            .trim_start()
            .split_once(char::is_whitespace)
            .expect("bytes");
        let (newlines, rest) = rest
            .trim_start()
            .split_once(char::is_whitespace)
            .expect("newlines");
        let (digest, path) = rest
            .trim_start()
            .split_once("  ")
            .expect("a digest and a path");
        Row(bytes.into(), newlines.into(), digest.into(), path.into())
    });
    (
        rows.collect(),
        total.split_whitespace().collect::<Vec<_>>().join(" "),
    )
}

fn paths(rows: &[Row]) -> Vec<PathBuf> {
    rows.iter().map(|row| PathBuf::from(&row.3)).collect()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
    fs::write(&path, bytes).expect("the file can be written");
    path
}

fn complaints(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn prints_size_newlines_and_the_published_digest_of_each_file() {
    let folder = TempDir::new().unwrap();
    let mut expected = Vec::new();
    for (length, digest) in VECTORS {
        let bytes = vector(length);
        let path = write(folder.path(), &format!("{length}.bin"), &bytes);
        expected.push(Row(
            length.to_string(),
            newlines(&bytes).to_string(),
            digest.into(),
            path.to_str().unwrap().into(),
        ));
    }
    let output = run([folder.path()]);
    assert_eq!(output.status.code(), Some(0), "{}", complaints(&output));
    let (mut printed, total) = rows(&output);
    printed.sort();
    expected.sort();
    assert_eq!(printed, expected);
    let (bytes, lines) = VECTORS.iter().fold((0, 0), |(bytes, lines), &(length, _)| {
        (bytes + length, lines + newlines(&vector(length)))
    });
    assert_eq!(total, format!("{bytes} {lines} total of 5 files"));
}

#[test]
fn counts_newlines_not_lines() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "ended", b"one\ntwo\n");
    write(folder.path(), "open", b"one\ntwo");
    let (printed, _) = rows(&run([
        "--ordered".into(),
        folder.path().as_os_str().to_owned(),
    ]));
    assert_eq!(
        printed.iter().map(|row| &*row.1).collect::<Vec<_>>(),
        ["2", "1"]
    );
}

#[test]
fn ordered_prints_many_more_files_than_slots_in_the_order_of_the_walk() {
    let folder = TempDir::new().unwrap();
    // Large files first: in the order of completion they would come later.
    let files: Vec<PathBuf> = (0..300)
        .map(|n| {
            write(
                folder.path(),
                &format!("{}/{n:03}", n / 100),
                &vector((300 - n) * 100),
            )
        })
        .collect();
    let output = run(["--ordered".into(), folder.path().as_os_str().to_owned()]);
    assert_eq!(output.status.code(), Some(0), "{}", complaints(&output));
    assert_eq!(paths(&rows(&output).0), files);
}

#[test]
fn prints_each_of_many_files_once() {
    let folder = TempDir::new().unwrap();
    let files: Vec<PathBuf> = (0..300)
        .map(|n| write(folder.path(), &format!("{n:03}"), &vector(n % 7 * 1000)))
        .collect();
    let output = run([folder.path()]);
    assert_eq!(output.status.code(), Some(0), "{}", complaints(&output));
    let mut printed = paths(&rows(&output).0);
    printed.sort();
    assert_eq!(printed, files);
}

#[test]
fn unreadable_paths_are_reported_and_counted_and_the_rest_is_printed() {
    let folder = TempDir::new().unwrap();
    let there = write(folder.path(), "there", b"");
    let missing = folder.path().join("missing");
    let output = run([&missing, &there]);
    assert_eq!(output.status.code(), Some(1));
    let (printed, total) = rows(&output);
    assert_eq!(paths(&printed), [there]);
    assert_eq!(total, "0 0 total of 1 file, 1 more could not be read");
    let complaints = complaints(&output);
    assert!(
        complaints.contains(&format!("digest: {}: ", missing.display())),
        "{complaints}"
    );
}

#[test]
fn prints_the_executors_figures_at_the_end() {
    let folder = TempDir::new().unwrap();
    let there = write(folder.path(), "there", b"");
    let complaints = complaints(&run([there]));
    assert!(complaints.contains("4 workers, 64 slots"), "{complaints}");
    assert!(complaints.contains("0 slots in use"), "{complaints}");
    assert!(
        !complaints.contains('\r'),
        "a progress line without a terminal: {complaints:?}"
    );
}

#[test]
fn without_a_path_it_reads_the_sources_of_the_crate() {
    let output = run([] as [&str; 0]);
    assert_eq!(output.status.code(), Some(0), "{}", complaints(&output));
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src")
        .join("lib.rs");
    assert!(paths(&rows(&output).0).contains(&source));
}

#[test]
fn a_wrong_argument_is_status_2_and_names_the_argument() {
    let output = run(["--orderly"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert!(complaints(&output).contains("--orderly"));
}

#[test]
fn help_and_version_are_for_stdout() {
    let help = run(["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&help.stdout).contains("Usage: digest [OPTIONS]"));
    let version = run(["-V"]);
    assert_eq!(version.status.code(), Some(0));
    assert_eq!(
        String::from_utf8_lossy(&version.stdout),
        concat!("digest (slotted ", env!("CARGO_PKG_VERSION"), ")\n")
    );
}

#[test]
fn a_reader_that_closes_the_pipe_ends_it_quietly() {
    let folder = TempDir::new().unwrap();
    // More output than a pipe holds, so the program meets the closed end.
    let files: Vec<PathBuf> = (0..2000)
        .map(|n| write(folder.path(), &format!("{n:0200}"), b""))
        .collect();
    let mut child = digest()
        .arg(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("cargo runs");
    let mut first = String::new();
    BufReader::with_capacity(1, child.stdout.take().expect("piped"))
        .read_line(&mut first)
        .expect("a line");
    assert!(
        files
            .iter()
            .any(|path| first.trim_end().ends_with(path.to_str().unwrap())),
        "{first}"
    );
    let output = child.wait_with_output().expect("it ends");
    let complaints = complaints(&output);
    assert!(
        !complaints.contains("digest: ") && !complaints.contains("panicked"),
        "{complaints}"
    );
    assert_eq!(output.status.code(), Some(0));
}

/// Paths that exist only on Unix.
#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_path_that_is_not_utf8_is_printed_as_it_is_and_control_characters_are_not() {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join(OsStr::from_bytes(b"caf\xe9")), b"").unwrap();
        fs::write(folder.path().join("a\nb"), b"").unwrap();
        let output = run([folder.path()]);
        assert_eq!(output.status.code(), Some(0), "{}", complaints(&output));
        let ends_a_line = |end: &[u8]| {
            output
                .stdout
                .split(|&byte| byte == b'\n')
                .any(|line| line.ends_with(end))
        };
        assert!(ends_a_line(b"/caf\xe9"));
        assert!(ends_a_line(b"/a\\x0ab"));
    }

    #[test]
    fn links_to_folders_are_not_followed_and_links_to_files_are() {
        let folder = TempDir::new().unwrap();
        let inside = write(folder.path(), "a/file", b"x\n");
        symlink(folder.path(), folder.path().join("a/loop")).unwrap();
        symlink(&inside, folder.path().join("link")).unwrap();
        let output = run(["--ordered".into(), folder.path().as_os_str().to_owned()]);
        assert_eq!(output.status.code(), Some(0), "{}", complaints(&output));
        let (printed, _) = rows(&output);
        assert_eq!(paths(&printed), [inside, folder.path().join("link")]);
        assert_eq!(printed[0].2, printed[1].2);
    }

    #[test]
    fn a_link_to_nothing_is_reported() {
        let folder = TempDir::new().unwrap();
        symlink("nowhere", folder.path().join("link")).unwrap();
        let output = run([folder.path()]);
        assert_eq!(output.status.code(), Some(1));
        assert!(complaints(&output).contains("/link: "));
    }
}
