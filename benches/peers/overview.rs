//! The overview of one run or several: for each workload `slotted` beside the best of its peers, as
//! lines of Markdown.

use core::fmt::Write;
use std::process::Command;

use crate::peer::{SLOTTED, SLOTTED_INLINE, SLOTTED_JOIN, is_peer, is_pool};
use crate::record::Sheet;
use crate::table::figure;
use crate::work::median;
use crate::workload::{Better, Column, Workload};

/// The crates whose versions the figures depend on.
const CRATES: [&str; 9] = [
    "async-executor",
    "chili",
    "crossbeam-channel",
    "forte",
    "futures",
    "oneshot",
    "rayon",
    "threadpool",
    "tokio",
];

/// One figure of a workload, of several runs.
pub struct Line {
    pub title: String,
    better: Better,
    slotted: Vec<f64>,
    inline: Vec<f64>,
    /// The best pool whose callers run no tasks, of each run.
    pool: Vec<(f64, String)>,
    /// The best peer, of each run.
    best: Vec<(f64, String)>,
}

impl Line {
    fn of(workload: Workload, column: usize, runs: &[Vec<Sheet>]) -> Option<Self> {
        let Column { name, better } = workload.columns()[column];
        let ours = match workload {
            Workload::ForkJoin => SLOTTED_JOIN,
            _ => SLOTTED,
        };
        let mut line = Self {
            title: format!("{}, {name}", workload.name()),
            better,
            slotted: Vec::new(),
            inline: Vec::new(),
            pool: Vec::new(),
            best: Vec::new(),
        };
        for sheet in runs.iter().flatten() {
            if sheet.workload != workload {
                continue;
            }
            line.slotted.push(sheet.median_of(ours, column)?);
            line.inline.extend(sheet.median_of(SLOTTED_INLINE, column));
            line.pool.push(sheet.best_of(column, is_pool)?);
            line.best.push(sheet.best_of(column, is_peer)?);
        }
        (!line.slotted.is_empty()).then_some(line)
    }

    /// How many times the figure of the best pool, run by run. Less is better.
    pub fn ratios(&self) -> Vec<f64> {
        self.ratios_of(&self.slotted)
    }

    /// As [`ratios`](Self::ratios), of the waiter that runs pending tasks itself.
    pub fn inline_ratios(&self) -> Vec<f64> {
        self.ratios_of(&self.inline)
    }

    /// As [`ratios`](Self::ratios), of the best peer.
    pub fn best_ratios(&self) -> Vec<f64> {
        let best: Vec<f64> = self.best.iter().map(|(figure, _)| *figure).collect();
        self.ratios_of(&best)
    }

    fn ratios_of(&self, figures: &[f64]) -> Vec<f64> {
        let ratio = |(figure, (pool, _)): (&f64, &(f64, String))| match self.better {
            Better::Less => figure / pool,
            Better::More => pool / figure,
        };
        figures.iter().zip(&self.pool).map(ratio).collect()
    }

    fn markdown(&self) -> String {
        let middle = |figures: &[f64]| match figures {
            [] => String::new(),
            figures => figure(median(&mut figures.to_vec())),
        };
        let peer = |figures: &[(f64, String)]| {
            let values: Vec<f64> = figures.iter().map(|(figure, _)| *figure).collect();
            let mut names: Vec<&str> = figures.iter().map(|(_, name)| name.as_str()).collect();
            names.dedup();
            format!("{} ({})", middle(&values), names.join(", "))
        };
        let ratios: Vec<String> = self.ratios().into_iter().map(figure).collect();
        format!(
            "| {} | {} | {} | {} | {} | {} |",
            self.title,
            middle(&self.slotted),
            middle(&self.inline),
            peer(&self.pool),
            peer(&self.best),
            ratios.join(", ")
        )
    }
}

/// The figures that have a peer.
pub fn lines(runs: &[Vec<Sheet>]) -> Vec<Line> {
    let workloads = runs.first().into_iter().flatten();
    let columns = |sheet: &Sheet| {
        let workload = sheet.workload;
        (0..workload.columns().len()).map(move |column| (workload, column))
    };
    workloads
        .flat_map(columns)
        .filter_map(|(workload, column)| Line::of(workload, column, runs))
        .collect()
}

/// A table of Markdown.
pub fn markdown(runs: &[Vec<Sheet>]) -> String {
    let mut text = String::from(
        "\n| workload | slotted | inline | best pool | best of all peers | slotted / best pool |\n\
         | --- | --- | --- | --- | --- | --- |\n",
    );
    for line in lines(runs) {
        let _ = writeln!(text, "{}", line.markdown());
    }
    let _ = writeln!(text, "\nPeers: {}.", versions().join(", "));
    text
}

/// The peers' versions, as Cargo locked them, and that of Python.
fn versions() -> Vec<String> {
    let mut versions: Vec<String> = CRATES
        .iter()
        .filter_map(|name| {
            let (_, after) =
                include_str!("../../Cargo.lock").split_once(&format!("name = \"{name}\"\n"))?;
            let version = after.lines().next()?.split('"').nth(1)?;
            Some(format!("{name} {version}"))
        })
        .collect();
    let python = Command::new("python3").arg("--version").output();
    if let Ok(python) = python {
        versions.push(String::from_utf8_lossy(&python.stdout).trim().to_owned());
    }
    versions
}
