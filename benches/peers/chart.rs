//! Draws a chart for each workload, and one of all, for the documentation. A pale bar reaches up to
//! the median; a strip spans the smallest to the largest sample. The scale is logarithmic, so where
//! a bar begins means nothing.

use std::error::Error;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::overview::Line;
use crate::peer::SLOTTED;
use crate::record::{Row, Sheet, Spread};
use crate::work::median;
use crate::workload::{Better, Column};

const WIDTH: u32 = 860;
const ROW_HEIGHT: u32 = 22;
const NAMES: i32 = 210;
const FIGURES: i32 = 90;

/// Writes `FOLDER/NAME.svg`.
pub fn draw(sheet: &Sheet, folder: &Path) -> Result<(), Box<dyn Error>> {
    let file = folder.join(format!("{}.svg", sheet.workload.name().to_lowercase()));
    let columns = sheet.workload.columns();
    let panel = (sheet.rows.len() as u32 + 2) * ROW_HEIGHT;
    let area = SVGBackend::new(
        &file,
        (WIDTH, panel * columns.len() as u32 + 2 * ROW_HEIGHT),
    )
    .into_drawing_area();
    area.fill(&WHITE)?;
    let title = format!("{}: {}", sheet.workload.name(), sheet.workload.title());
    area.draw_text(&title, &("sans-serif", 17).into_text_style(&area), (8, 8))?;
    let (_, below) = area.split_vertically(2 * ROW_HEIGHT);
    for (column, place) in below.split_evenly((columns.len(), 1)).iter().enumerate() {
        panel_of(sheet, column, place)?;
    }
    area.present()?;
    Ok(())
}

/// One column: a logarithmic bar for each row.
fn panel_of(
    sheet: &Sheet,
    column: usize,
    area: &DrawingArea<SVGBackend<'_>, Shift>,
) -> Result<(), Box<dyn Error>> {
    let text = ("sans-serif", 15).into_text_style(area);
    let Column { name, better } = sheet.workload.columns()[column];
    let better = match better {
        Better::Less => "less is better",
        Better::More => "more is better",
    };
    area.draw_text(&format!("{name} ({better})"), &text, (8, 4))?;
    let rows: Vec<(&Row, Spread)> = sheet
        .rows
        .iter()
        .filter_map(|row| Some((row, row.spread(column)?)))
        .collect();
    // A logarithmic scale has no place for zero and negative figures. They appear as text only.
    let positive = || {
        rows.iter()
            .flat_map(|(_, spread)| [spread.smallest, spread.largest])
            .filter(|&figure| figure > 0.0)
    };
    let least = positive().fold(f64::INFINITY, f64::min).log10().floor();
    let most = positive()
        .fold(f64::NEG_INFINITY, f64::max)
        .log10()
        .ceil()
        .max(least + 1.0);
    let right = WIDTH as i32 - FIGURES - 8;
    let across = |figure: f64| {
        let share = (figure.max(f64::MIN_POSITIVE).log10() - least) / (most - least);
        NAMES + (share.clamp(0.0, 1.0) * f64::from(right - NAMES)) as i32
    };
    let bottom = (rows.len() as i32 + 1) * ROW_HEIGHT as i32;
    if least.is_finite() {
        for power in least as i32..=most as i32 {
            let x = across(10_f64.powi(power));
            area.draw(&PathElement::new(
                [(x, ROW_HEIGHT as i32), (x, bottom)],
                RGBColor(220, 220, 220),
            ))?;
            area.draw_text(
                &tick(power),
                &("sans-serif", 12).into_text_style(area),
                (x + 2, ROW_HEIGHT as i32 - 12),
            )?;
        }
    }
    for (place, (row, spread)) in rows.iter().enumerate() {
        let y = (place as i32 + 1) * ROW_HEIGHT as i32;
        let colour = if row.peer.starts_with(SLOTTED) {
            RGBColor(200, 80, 20)
        } else {
            RGBColor(90, 110, 140)
        };
        area.draw_text(&row.peer, &text, (8, y + 4))?;
        if spread.median > 0.0 {
            let range = [
                (across(spread.smallest), y + 7),
                (
                    across(spread.largest).max(across(spread.smallest) + 1),
                    y + 13,
                ),
            ];
            area.draw(&Rectangle::new(
                [(NAMES, y + 4), (across(spread.median), y + 16)],
                colour.mix(0.35).filled(),
            ))?;
            area.draw(&Rectangle::new(range, colour.filled()))?;
        }
        area.draw_text(&written(spread.median), &text, (right + 8, y + 4))?;
    }
    Ok(())
}

/// Writes `FOLDER/overview.svg`: for each figure how `slotted`, as it is and inline, and the best
/// of all peers stand to the best pool. The scale is logarithmic, from a twentieth to twenty.
pub fn draw_overview(lines: &[Line], folder: &Path) -> Result<(), Box<dyn Error>> {
    let file = folder.join("overview.svg");
    let height = (lines.len() as u32 + 4) * ROW_HEIGHT;
    let area = SVGBackend::new(&file, (WIDTH, height)).into_drawing_area();
    area.fill(&WHITE)?;
    let text = ("sans-serif", 15).into_text_style(&area);
    let title = "Ratio to the best pool whose callers run no tasks (left is better)";
    area.draw_text(title, &("sans-serif", 17).into_text_style(&area), (8, 8))?;
    let across = |ratio: f64| {
        let share = (ratio.log10() / 20_f64.log10() + 1.0) / 2.0;
        NAMES + (share.clamp(0.0, 1.0) * f64::from(WIDTH as i32 - FIGURES - NAMES)) as i32
    };
    let top = 3 * ROW_HEIGHT as i32;
    for ratio in [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0] {
        let shade = if ratio == 1.0 { 120 } else { 220 };
        let x = across(ratio);
        let line = [(x, top - 4), (x, height as i32 - 8)];
        area.draw(&PathElement::new(line, RGBColor(shade, shade, shade)))?;
        let small = ("sans-serif", 12).into_text_style(&area);
        area.draw_text(&format!("{ratio}"), &small, (x + 2, top - 18))?;
    }
    let kinds = [
        ("slotted", RGBColor(200, 80, 20)),
        ("slotted inline", RGBColor(240, 170, 60)),
        ("best of all peers", RGBColor(90, 110, 140)),
    ];
    for (place, (name, colour)) in kinds.iter().enumerate() {
        let x = NAMES + 200 * place as i32;
        area.draw(&Circle::new(
            (x, ROW_HEIGHT as i32 + 14),
            5,
            colour.filled(),
        ))?;
        area.draw_text(name, &text, (x + 10, ROW_HEIGHT as i32 + 6))?;
    }
    for (place, line) in lines.iter().enumerate() {
        let y = top + place as i32 * ROW_HEIGHT as i32;
        area.draw_text(&line.title, &text, (8, y + 4))?;
        let of = [line.ratios(), line.inline_ratios(), line.best_ratios()];
        // `slotted` last, so that it lies on top.
        for ((_, colour), mut ratios) in kinds.iter().zip(of).rev() {
            ratios.retain(|ratio| ratio.is_finite() && *ratio > 0.0);
            if ratios.is_empty() {
                continue;
            }
            let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
            let most = ratios.iter().copied().fold(0.0, f64::max);
            let range = [(across(least), y + 12), (across(most), y + 12)];
            area.draw(&PathElement::new(range, colour.stroke_width(3)))?;
            let middle = across(median(&mut ratios));
            area.draw(&Circle::new((middle, y + 12), 5, colour.filled()))?;
        }
        let mut ratios = line.ratios();
        let middle = median(&mut ratios);
        if middle.is_finite() && middle > 0.0 {
            let at = (WIDTH as i32 - FIGURES + 12, y + 4);
            area.draw_text(&format!("{middle:.2}"), &text, at)?;
        }
    }
    area.present()?;
    Ok(())
}

/// A power of ten.
fn tick(power: i32) -> String {
    if power < 0 {
        format!("{:.*}", power.unsigned_abs() as usize, 10_f64.powi(power))
    } else {
        format!("{}", 10_f64.powi(power))
    }
}

fn written(figure: f64) -> String {
    if figure.abs() < 10.0 {
        format!("{figure:.2}")
    } else {
        format!("{figure:.0}")
    }
}
