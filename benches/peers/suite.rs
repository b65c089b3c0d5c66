//! The suite: chooses peers and workloads, takes samples round by round, and reports.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::arguments::{Arguments, Effort};
use crate::chart;
use crate::critical_section;
use crate::overview;
use crate::peer::{Found, PEERS, Peer, SLOTTED, measure_python};
use crate::pool::WORKERS;
use crate::record::{Outcome, Row, Sheet, numbers};
use crate::table::table;
use crate::workload::Workload;

/// A future row: a peer, and the program that measures it.
struct Competitor {
    name: String,
    peer: &'static Peer,
    executable: PathBuf,
    /// True if it stands only in the tables that have both worlds of slotted.
    other_world: bool,
}

/// Runs the suite. Returns true if every sample was taken and every result was right.
pub fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let mut competitors = competitors(arguments)?;
    if !present("python3") {
        eprintln!("skipped: Python because there is no python3");
        competitors.retain(|competitor| {
            !matches!((competitor.peer.find)(Workload::One), Found::Python(_))
        });
    }
    println!(
        "{} workers, {} rounds; median (smallest–largest), ratio to the best",
        WORKERS, arguments.rounds
    );
    let mut sheets = Vec::new();
    for &workload in &arguments.workloads {
        let sheet = measure(workload, &competitors, arguments);
        print!("{}", table(&sheet));
        sheets.push(sheet);
    }
    if let Some(file) = &arguments.json {
        let sheets: Vec<Value> = sheets.iter().map(Sheet::to_json).collect();
        let all = json!({ "workers": WORKERS, "rounds": arguments.rounds, "sheets": sheets });
        fs::write(file, format!("{all:#}\n"))?;
    }
    let done = !sheets
        .iter()
        .flat_map(|sheet| &sheet.rows)
        .any(|row| matches!(row.outcome, Outcome::Failed(_)));
    report(vec![sheets], arguments.charts.as_deref())?;
    Ok(done)
}

/// Reports what earlier runs wrote.
pub fn read(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let mut runs = Vec::new();
    for file in &arguments.read {
        let text = fs::read(file).map_err(|fault| format!("{}: {fault}", file.display()))?;
        let run: Value = serde_json::from_slice(&text)?;
        let sheets = run["sheets"].as_array().into_iter().flatten();
        let sheets: Option<Vec<Sheet>> = sheets.map(Sheet::from_json).collect();
        runs.push(sheets.ok_or_else(|| format!("{}: not a record of samples", file.display()))?);
    }
    report(runs, arguments.charts.as_deref())?;
    Ok(true)
}

/// Prints the overview of some runs. Draws it, and a chart of each workload from all samples.
fn report(runs: Vec<Vec<Sheet>>, charts: Option<&Path>) -> Result<(), Box<dyn Error>> {
    print!("{}", overview::markdown(&runs));
    let Some(folder) = charts else { return Ok(()) };
    fs::create_dir_all(folder)?;
    chart::draw_overview(&overview::lines(&runs), folder)?;
    let mut runs = runs.into_iter();
    let mut sheets = runs.next().unwrap_or_default();
    for run in runs {
        for later in &run {
            let same = sheets
                .iter_mut()
                .find(|sheet| sheet.workload == later.workload);
            same.into_iter().for_each(|sheet| sheet.extend(later));
        }
    }
    for sheet in &sheets {
        chart::draw(sheet, folder)?;
    }
    Ok(())
}

fn competitors(arguments: &Arguments) -> Result<Vec<Competitor>, Box<dyn Error>> {
    let here = env::current_exe()?;
    let wanted = |peer: &&Peer| {
        arguments.peers.is_empty()
            || arguments
                .peers
                .iter()
                .any(|start| peer.name.starts_with(start.as_str()))
    };
    let mut competitors: Vec<Competitor> = PEERS
        .iter()
        .filter(wanted)
        .map(|peer| Competitor {
            name: peer.name.to_owned(),
            peer,
            executable: here.clone(),
            other_world: false,
        })
        .collect();
    let after = competitors
        .iter()
        .position(|competitor| competitor.name == SLOTTED);
    if let (true, Some(after)) = (arguments.both_worlds, after) {
        let executable = match &arguments.executable {
            Some(executable) => executable.clone(),
            None => critical_section::build()?,
        };
        let peer = competitors[after].peer;
        let name = format!("{SLOTTED}, critical section");
        competitors.insert(
            after + 1,
            Competitor {
                name,
                peer,
                executable,
                other_world: true,
            },
        );
    }
    Ok(competitors)
}

fn measure(workload: Workload, competitors: &[Competitor], arguments: &Arguments) -> Sheet {
    let mut sheet = Sheet {
        workload,
        rows: Vec::new(),
        round_trips: Vec::new(),
    };
    let mut takes = Vec::new();
    for competitor in competitors
        .iter()
        .filter(|one| !one.other_world || workload.is_in_both_worlds())
    {
        let outcome = match (competitor.peer.find)(workload) {
            Found::Missing => continue,
            Found::Deadlock => Outcome::Deadlock,
            Found::Here(_) | Found::Python(_) => {
                Outcome::Measured(vec![Vec::new(); workload.columns().len()])
            }
        };
        sheet.rows.push(Row {
            peer: competitor.name.clone(),
            outcome,
        });
        takes.push(competitor);
    }
    for round in 0..arguments.rounds {
        for (row, competitor) in sheet.rows.iter_mut().zip(&takes) {
            let Outcome::Measured(columns) = &mut row.outcome else {
                continue;
            };
            eprint!(
                "\r\x1b[K{} {}/{}: {}",
                workload.name(),
                round + 1,
                arguments.rounds,
                competitor.name
            );
            match sample(workload, competitor, arguments.effort) {
                Ok((figures, round_trips)) => {
                    columns
                        .iter_mut()
                        .zip(figures)
                        .for_each(|(column, figure)| column.push(figure));
                    sheet.round_trips.extend(round_trips);
                }
                Err(fault) => row.outcome = Outcome::Failed(fault.to_string()),
            }
        }
    }
    eprint!("\r\x1b[K");
    sheet
}

/// The figures of one sample, and the round trips taken beside it.
fn sample(
    workload: Workload,
    competitor: &Competitor,
    effort: Effort,
) -> Result<(Vec<f64>, Vec<f64>), Box<dyn Error>> {
    let mut command = match (competitor.peer.find)(workload) {
        Found::Python(kind) => measure_python(kind, workload, effort),
        _ => {
            let mut command = Command::new(&competitor.executable);
            command.args(["--sample", workload.name(), competitor.peer.name]);
            if effort == Effort::Quick {
                command.arg("--quick");
            }
            command
        }
    };
    let output = command.output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said
            .lines()
            .rfind(|line| !line.trim().is_empty() && !line.contains("RUST_BACKTRACE"));
        return Err(format!("{}: {}", output.status, last.unwrap_or("without a word")).into());
    }
    let said: Value = serde_json::from_slice(&output.stdout)?;
    let figures = numbers(&said["figures"]);
    if figures.len() != workload.columns().len() {
        return Err(format!(
            "{} figures instead of {}",
            figures.len(),
            workload.columns().len()
        )
        .into());
    }
    Ok((figures, numbers(&said["round_trips"])))
}

fn present(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
}
