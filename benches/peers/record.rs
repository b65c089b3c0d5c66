//! The record of all samples.

use serde_json::{Value, json};

use crate::work::median;
use crate::workload::{Better, Workload};

/// One peer's samples of one workload.
pub struct Row {
    pub peer: String,
    pub outcome: Outcome,
}

pub enum Outcome {
    /// For each column, a figure for each round.
    Measured(Vec<Vec<f64>>),
    Deadlock,
    /// The reason, if at least one sample failed.
    Failed(String),
}

/// All samples of a workload.
pub struct Sheet {
    pub workload: Workload,
    pub rows: Vec<Row>,
    /// Round trips of a cache line between two threads, in ns, taken beside each sample.
    pub round_trips: Vec<f64>,
}

/// The median, the smallest and the largest of a cell's samples.
#[derive(Clone, Copy)]
pub struct Spread {
    pub median: f64,
    pub smallest: f64,
    pub largest: f64,
}

impl Spread {
    fn of(samples: &[f64]) -> Option<Self> {
        let mut samples: Vec<f64> = samples
            .iter()
            .copied()
            .filter(|sample| sample.is_finite())
            .collect();
        if samples.is_empty() {
            return None;
        }
        let median = median(&mut samples);
        Some(Self {
            median,
            smallest: samples[0],
            largest: samples[samples.len() - 1],
        })
    }
}

impl Row {
    pub fn spread(&self, column: usize) -> Option<Spread> {
        match &self.outcome {
            Outcome::Measured(columns) => Spread::of(columns.get(column)?),
            Outcome::Deadlock | Outcome::Failed(_) => None,
        }
    }
}

impl Sheet {
    /// The best median of a column.
    pub fn best(&self, column: usize) -> Option<f64> {
        let medians = self
            .rows
            .iter()
            .filter_map(|row| row.spread(column))
            .map(|spread| spread.median);
        match self.workload.columns()[column].better {
            Better::Less => medians.min_by(f64::total_cmp),
            Better::More => medians.max_by(f64::total_cmp),
        }
    }

    pub fn round_trip(&self) -> Option<Spread> {
        Spread::of(&self.round_trips)
    }

    pub fn to_json(&self) -> Value {
        let columns: Vec<&str> = self
            .workload
            .columns()
            .iter()
            .map(|column| column.name)
            .collect();
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| match &row.outcome {
                Outcome::Measured(figures) => json!({ "peer": row.peer, "samples": figures }),
                Outcome::Deadlock => json!({ "peer": row.peer, "deadlock": true }),
                Outcome::Failed(fault) => json!({ "peer": row.peer, "failed": fault }),
            })
            .collect();
        json!({
            "workload": self.workload.name(),
            "title": self.workload.title(),
            "columns": columns,
            "rows": rows,
            "round_trips_ns": self.round_trips,
        })
    }
}
