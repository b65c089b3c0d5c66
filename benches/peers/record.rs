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

    /// The median of a row of that name.
    pub fn median_of(&self, peer: &str, column: usize) -> Option<f64> {
        let row = self.rows.iter().find(|row| row.peer == peer)?;
        Some(row.spread(column)?.median)
    }

    /// The best median among the rows whose names are `wanted`, and the name.
    pub fn best_of(&self, column: usize, wanted: fn(&str) -> bool) -> Option<(f64, String)> {
        let rows = self.rows.iter().filter(|row| wanted(&row.peer));
        let medians = rows.filter_map(|row| Some((row.spread(column)?.median, row.peer.clone())));
        let by_figure = |one: &(f64, String), other: &(f64, String)| one.0.total_cmp(&other.0);
        match self.workload.columns()[column].better {
            Better::Less => medians.min_by(by_figure),
            Better::More => medians.max_by(by_figure),
        }
    }

    /// Adds the samples of a later run.
    pub fn extend(&mut self, later: &Self) {
        self.round_trips.extend(&later.round_trips);
        for row in &mut self.rows {
            let theirs = later.rows.iter().find(|other| other.peer == row.peer);
            let (Outcome::Measured(ours), Some(Outcome::Measured(theirs))) =
                (&mut row.outcome, theirs.map(|row| &row.outcome))
            else {
                continue;
            };
            for (ours, theirs) in ours.iter_mut().zip(theirs) {
                ours.extend(theirs);
            }
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

    /// Reads what [`to_json`](Self::to_json) wrote.
    pub fn from_json(sheet: &Value) -> Option<Self> {
        let row = |row: &Value| {
            let outcome = if let Some(samples) = row["samples"].as_array() {
                Outcome::Measured(samples.iter().map(numbers).collect())
            } else if let Some(fault) = row["failed"].as_str() {
                Outcome::Failed(fault.to_owned())
            } else {
                Outcome::Deadlock
            };
            let peer = row["peer"].as_str()?.to_owned();
            Some(Row { peer, outcome })
        };
        Some(Self {
            workload: Workload::named(sheet["workload"].as_str()?)?,
            rows: sheet["rows"]
                .as_array()?
                .iter()
                .map(row)
                .collect::<Option<_>>()?,
            round_trips: numbers(&sheet["round_trips_ns"]),
        })
    }
}

/// The numbers of an array. What is no number was not finite.
pub fn numbers(array: &Value) -> Vec<f64> {
    let numbers = array.as_array().into_iter().flatten();
    numbers
        .map(|number| number.as_f64().unwrap_or(f64::NAN))
        .collect()
}
