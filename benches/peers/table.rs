//! The report: a table for each workload.

use core::fmt::Write;

use crate::record::{Outcome, Row, Sheet};
use crate::workload::Better;

const CELL: usize = 34;

/// A sheet as lines of text.
pub fn table(sheet: &Sheet) -> String {
    let mut text = format!("\n{}: {}\n", sheet.workload.name(), sheet.workload.title());
    if let Some(trip) = sheet.round_trip() {
        let (median, smallest, largest) = (trip.median, trip.smallest, trip.largest);
        let _ =
            writeln!(text, "cache line there and back beside the samples: {median:.0} ns ({smallest:.0}–{largest:.0})");
    }
    let _ = write!(text, "{:28}", "");
    for column in sheet.workload.columns() {
        let _ = write!(text, "{:>CELL$}", column.name);
    }
    text.push('\n');
    for row in &sheet.rows {
        let _ = write!(text, "{:28}", row.peer);
        match &row.outcome {
            Outcome::Measured(_) => {
                for column in 0..sheet.workload.columns().len() {
                    let _ = write!(text, "{:>CELL$}", cell(sheet, row, column));
                }
            }
            Outcome::Deadlock => text.push_str("     deadlock: workers that wait run nothing else"),
            Outcome::Failed(fault) => {
                let _ = write!(text, "     FAILED: {fault}");
            }
        }
        text.push('\n');
    }
    text
}

/// `median (smallest–largest) ratio to the best`.
fn cell(sheet: &Sheet, row: &Row, column: usize) -> String {
    let (Some(spread), Some(best)) = (row.spread(column), sheet.best(column)) else { return "–".to_owned() };
    let ratio = match sheet.workload.columns()[column].better {
        Better::Less => spread.median / best,
        Better::More => best / spread.median,
    };
    let range = format!("{} ({}–{})", figure(spread.median), figure(spread.smallest), figure(spread.largest));
    // Beside a best of nothing, or a negative one, there are no ratios.
    if ratio.is_finite() && ratio > 0.0 && best > 0.0 {
        format!("{range} {ratio:5.2}×")
    } else {
        format!("{range}       ")
    }
}

/// Three digits, or whole numbers.
fn figure(value: f64) -> String {
    if value.abs() < 10.0 {
        format!("{value:.2}")
    } else if value.abs() < 100.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}
