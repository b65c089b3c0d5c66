//! The work of this example, apart from its pool: the walk through folders, and a file's digest.

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

/// How much of a file is in memory at a time, on a worker's stack.
const CHUNK_BYTES: usize = 64 * 1024;

pub(crate) static BYTES_READ: AtomicU64 = AtomicU64::new(0);
pub(crate) static FILES_READ: AtomicUsize = AtomicUsize::new(0);

/// The facts of a file.
pub(crate) struct Report {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) newlines: u64,
    pub(crate) hash: blake3::Hash,
}

/// An unreadable path, and the reason.
pub(crate) struct Unreadable {
    pub(crate) path: PathBuf,
    pub(crate) reason: io::Error,
}

/// Yields the named files and those in the named folders, and an error for each unreadable path.
pub(crate) fn files(paths: Vec<PathBuf>) -> impl Iterator<Item = Result<PathBuf, Unreadable>> {
    paths.into_iter().flat_map(|root| {
        let named = root.clone();
        WalkDir::new(root)
            .sort_by_file_name()
            .into_iter()
            .filter_map(move |entry| match entry {
                Ok(entry) => file(entry).transpose(),
                Err(error) => {
                    let path = error.path().unwrap_or(&named).to_path_buf();
                    let reason = error
                        .into_io_error()
                        .unwrap_or_else(|| ErrorKind::Other.into());
                    Some(Err(Unreadable { path, reason }))
                }
            })
    })
}

/// The entry's path, if it is a file to read. A named pipe or device counts too, but in a folder
/// only files do: to open a pipe there would block.
fn file(entry: DirEntry) -> Result<Option<PathBuf>, Unreadable> {
    let (kind, named) = (entry.file_type(), entry.depth() == 0);
    let path = entry.into_path();
    let kind = if kind.is_symlink() {
        match fs::metadata(&path) {
            Ok(target) => target.file_type(),
            Err(reason) => return Err(Unreadable { path, reason }),
        }
    } else {
        kind
    };
    Ok((kind.is_file() || named && !kind.is_dir()).then_some(path))
}

/// The task: reads the file chunk by chunk.
pub(crate) fn digest(path: PathBuf) -> Result<Report, Unreadable> {
    let read = |path: &Path| {
        let mut file = File::open(path)?;
        let mut chunk = [0; CHUNK_BYTES];
        let (mut bytes, mut newlines, mut hasher) = (0, 0, blake3::Hasher::new());
        loop {
            let length = match file.read(&mut chunk) {
                Ok(0) => return Ok((bytes, newlines, hasher.finalize())),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let chunk = &chunk[..length];
            hasher.update(chunk);
            bytes += length as u64;
            newlines += chunk.iter().filter(|&&byte| byte == b'\n').count() as u64;
            BYTES_READ.fetch_add(length as u64, Ordering::Relaxed);
        }
    };
    match read(&path) {
        Ok((bytes, newlines, hash)) => {
            FILES_READ.fetch_add(1, Ordering::Relaxed);
            Ok(Report {
                path,
                bytes,
                newlines,
                hash,
            })
        }
        Err(reason) => Err(Unreadable { path, reason }),
    }
}
