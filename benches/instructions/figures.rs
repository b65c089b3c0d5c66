//! The counts that a file in the repository keeps, for comparison.

use core::fmt;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

/// The file: the compiler in the first line, then lines of `name count`.
pub struct Figures {
    pub compiler: String,
    pub counts: Vec<(String, f64)>,
}

impl Figures {
    fn path() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("instructions/figures.txt")
    }

    pub fn read() -> Result<Self, Box<dyn Error>> {
        let text = fs::read_to_string(Self::path())?;
        let mut lines = text.lines();
        let compiler = lines.next().unwrap_or_default().to_owned();
        let counts = lines
            .map(|line| {
                let (name, count) = line
                    .split_once(' ')
                    .ok_or_else(|| format!("not `name count`: {line}"))?;
                Ok((name.to_owned(), count.trim().parse()?))
            })
            .collect::<Result<Vec<_>, Box<dyn Error>>>()?;
        Ok(Self { compiler, counts })
    }

    pub fn write(&self) -> Result<(), Box<dyn Error>> {
        Ok(fs::write(Self::path(), self.to_string())?)
    }

    pub fn of(&self, name: &str) -> Option<f64> {
        self.counts
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, count)| *count)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.compiler)?;
        self.counts
            .iter()
            .try_for_each(|(name, count)| writeln!(f, "{name:9} {count:.1}"))
    }
}
