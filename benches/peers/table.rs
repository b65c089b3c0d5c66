//! The report: a table for each workload.

use core::fmt::Write;

use crate::record::{Outcome, Row, Sheet};
use crate::workload::Better;

/// A sheet as lines of text.
pub fn table(sheet: &Sheet) -> String {
    let mut text = format!("\n{}: {}\n", sheet.workload.name(), sheet.workload.title());
    if let Some(trip) = sheet.round_trip() {
        let (median, smallest, largest) = (trip.median, trip.smallest, trip.largest);
        let _ = writeln!(
            text,
            "cache line there and back beside the samples: \
             {median:.0} ns ({smallest:.0}–{largest:.0})"
        );
    }
    let columns = sheet.workload.columns();
    let mut lines = vec![vec![String::new()]];
    lines[0].extend(columns.iter().map(|column| column.name.to_owned()));
    for row in &sheet.rows {
        let mut line = vec![row.peer.clone()];
        match &row.outcome {
            Outcome::Measured(_) => {
                line.extend((0..columns.len()).map(|column| cell(sheet, row, column)))
            }
            Outcome::Deadlock => line.push("deadlock".to_owned()),
            Outcome::Failed(_) => line.push("FAILED".to_owned()),
        }
        lines.push(line);
    }
    let width = |place: usize| {
        lines
            .iter()
            .filter_map(|line| Some(line.get(place)?.chars().count()))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..=columns.len()).map(width).collect();
    for line in &lines {
        let _ = write!(text, "{:1$}", line[0], widths[0]);
        for (part, width) in line[1..].iter().zip(&widths[1..]) {
            let _ = write!(text, "   {part:>width$}");
        }
        text.push('\n');
    }
    for row in &sheet.rows {
        if let Outcome::Failed(fault) = &row.outcome {
            let _ = writeln!(
                text,
                "FAILED: {} in {}: {fault}",
                row.peer,
                sheet.workload.name()
            );
        }
    }
    text
}

/// `median (smallest–largest) ratio to the best`.
fn cell(sheet: &Sheet, row: &Row, column: usize) -> String {
    let (Some(spread), Some(best)) = (row.spread(column), sheet.best(column)) else {
        return "–".to_owned();
    };
    let ratio = match sheet.workload.columns()[column].better {
        Better::Less => spread.median / best,
        Better::More => best / spread.median,
    };
    let range = format!(
        "{} ({}–{})",
        figure(spread.median),
        figure(spread.smallest),
        figure(spread.largest)
    );
    // If the best is zero or negative, there are no ratios.
    if ratio.is_finite() && ratio > 0.0 && best > 0.0 {
        format!("{range} {ratio:5.2}×")
    } else {
        format!("{range}       ")
    }
}

/// Prints three digits, or a whole number.
pub fn figure(value: f64) -> String {
    if value.abs() < 10.0 {
        format!("{value:.2}")
    } else if value.abs() < 100.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}
