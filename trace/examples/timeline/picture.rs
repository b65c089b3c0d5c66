//! A timeline as a picture: a row for each track, and below them how many tasks wait.

use core::error::Error;
use std::path::Path;

use plotters::prelude::*;
use slotted::Clock;
use slotted::StdHost;
use slotted_trace::timeline::{Timeline, Track};

const WIDTH: u32 = 860;
const ROW: i32 = 26;
const NAMES: i32 = 110;
const QUEUE_HEIGHT: i32 = 60;
const TOP: i32 = 36;
const FOOT: i32 = 26;

const TASK: RGBColor = RGBColor(200, 80, 20);
const QUEUED: RGBColor = RGBColor(90, 110, 140);

pub(crate) fn draw(timeline: &Timeline, title: &str, file: &Path) -> Result<(), Box<dyn Error>> {
    let mut tracks: Vec<Track> = timeline.slices.iter().map(|slice| slice.track).collect();
    tracks.dedup(); // they are sorted
    let queue_bottom = TOP + tracks.len() as i32 * ROW + 12 + QUEUE_HEIGHT;
    let height = (queue_bottom + FOOT) as u32;
    let area = SVGBackend::new(file, (WIDTH, height)).into_drawing_area();
    area.fill(&WHITE)?;
    let text = |size: i32| ("sans-serif", size).into_text_style(&area);
    area.draw_text(title, &text(16), (8, 8))?;

    let begins = { timeline.waits.iter() }
        .map(|wait| wait.begin)
        .chain(timeline.slices.iter().map(|slice| slice.begin));
    let first = begins.min().unwrap_or_default();
    let last = { timeline.slices.iter() }
        .map(|slice| slice.end)
        .max()
        .unwrap_or_default();
    let width = f64::from(WIDTH as i32 - NAMES - 12);
    let x = |tick: u64| {
        let share = tick.saturating_sub(first) as f64 / last.saturating_sub(first).max(1) as f64;
        NAMES + (share * width) as i32
    };

    for (row, track) in tracks.iter().enumerate() {
        let y = TOP + row as i32 * ROW;
        area.draw_text(&track.to_string(), &text(14), (8, y + 4))?;
        let slices = timeline.slices.iter().filter(|slice| slice.track == *track);
        // Two shades, so that neighbours can be told apart.
        for (slice, shade) in slices.zip([0.9, 0.55].into_iter().cycle()) {
            let (left, right) = (x(slice.begin), x(slice.end));
            let corners = [(left, y + 2), (right.max(left + 1), y + ROW - 4)];
            area.draw(&Rectangle::new(corners, TASK.mix(shade).filled()))?;
        }
    }

    // How many tasks wait: up at the beginning of a wait, down at its end.
    let mut changes: Vec<(u64, i64)> = { timeline.waits.iter() }
        .flat_map(|wait| [(wait.begin, 1), (wait.end, -1)])
        .collect();
    changes.sort_unstable();
    let mut waiting = 0;
    let steps: Vec<(u64, i64)> = { changes.into_iter() }
        .map(|(tick, change)| {
            waiting += change;
            (tick, waiting)
        })
        .collect();
    let most = steps.iter().map(|&(_, waiting)| waiting).max().unwrap_or(0);
    let y = |waiting: i64| queue_bottom - (waiting * i64::from(QUEUE_HEIGHT) / most.max(1)) as i32;
    let name = format!("queued: {most}");
    area.draw_text(&name, &text(14), (8, queue_bottom - QUEUE_HEIGHT))?;
    // Several changes in one column of pixels leave one point.
    let mut outline = vec![(x(first), y(0))];
    for (tick, waiting) in steps {
        let (column, level) = (x(tick), y(waiting));
        let before = outline.last().map_or(level, |&(_, level)| level);
        if outline.last().is_some_and(|&(last, _)| last == column) {
            outline.pop();
        } else {
            outline.push((column, before));
        }
        outline.push((column, level));
    }
    outline.push((x(last), y(0)));
    area.draw(&Polygon::new(outline, QUEUED.mix(0.5).filled()))?;

    area.draw(&PathElement::new(
        [(NAMES, queue_bottom), (x(last), queue_bottom)],
        BLACK,
    ))?;
    let milliseconds = |tick: u64| {
        let ticks = tick.saturating_sub(first) as f64;
        format!("{:.1} ms", ticks * 1e3 / StdHost::TICKS_PER_SECOND as f64)
    };
    for part in 0..=4 {
        let tick = first + (last - first) * part / 4;
        let place = if part == 4 { x(tick) - 50 } else { x(tick) };
        area.draw_text(&milliseconds(tick), &text(12), (place, queue_bottom + 6))?;
    }
    area.present()?;
    Ok(())
}
