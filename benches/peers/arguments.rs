//! The command line.

use std::error::Error;
use std::path::PathBuf;

use lexopt::prelude::*;

use crate::peer::PEERS;
use crate::workload::{WORKLOADS, Workload};

pub const HELP: &str = "\
Runs slotted and its peers side by side.
Prints medians (smallest–largest) and ratios to the best.

cargo bench --bench peers -- [OPTIONS]

  --only W1,W2        these workloads (all: W1 W1i W2 W3 W4 W5 W6 W7 W8 W9 W10 W11;
                      W12: W1 to W10 in both worlds of slotted)
  --peers a,b         peers by the beginning of their names (`slotted`: every row of slotted)
  --rounds N          samples of each peer (5)
  --quick             short samples, two rounds, one world: a test of the suite only
  --json FILE         writes every sample
  --read A.json,B.json
                      measures nothing: reports what earlier runs wrote
  --charts FOLDER     writes a chart for each workload, as SVG
  --executable FILE   a build of this program with `--cfg slotted_critical_section`, to reuse
  --list              the names of the peers
";

/// How much a sample may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    Full,
    Quick,
}

impl Effort {
    /// `full`, or a tenth of it for `Quick`.
    pub fn of(self, full: usize) -> usize {
        match self {
            Self::Full => full,
            Self::Quick => full.div_ceil(10),
        }
    }
}

pub enum Task {
    Help,
    Suite,
    Read,
    Sample { workload: String, peer: String },
}

pub struct Arguments {
    pub task: Task,
    pub workloads: Vec<Workload>,
    /// Prefixes of names. Empty means all peers.
    pub peers: Vec<String>,
    /// True if slotted is measured in the world of boards too.
    pub both_worlds: bool,
    pub rounds: usize,
    pub effort: Effort,
    pub json: Option<PathBuf>,
    /// What earlier runs wrote.
    pub read: Vec<PathBuf>,
    pub charts: Option<PathBuf>,
    pub executable: Option<PathBuf>,
}

impl Arguments {
    pub fn parse() -> Result<Self, Box<dyn Error>> {
        let mut only: Option<Vec<String>> = None;
        let (mut peers, mut rounds, mut effort) = (Vec::new(), None, Effort::Full);
        let (mut json, mut charts, mut executable, mut sample, mut task) =
            (None, None, None, None, Task::Suite);
        let mut read = Vec::new();
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("only") => only = Some(list(&parser.value()?.string()?)),
                Long("peers") => peers = list(&parser.value()?.string()?),
                Long("rounds") => rounds = Some(parser.value()?.parse::<usize>()?.max(1)),
                Long("quick") => effort = Effort::Quick,
                Long("json") => json = Some(PathBuf::from(parser.value()?)),
                Long("read") => {
                    let files = list(&parser.value()?.string()?);
                    read.extend(files.into_iter().map(PathBuf::from));
                    task = Task::Read;
                }
                Long("charts") => charts = Some(PathBuf::from(parser.value()?)),
                Long("executable") => executable = Some(PathBuf::from(parser.value()?)),
                Long("sample") => {
                    sample = Some((parser.value()?.string()?, parser.value()?.string()?))
                }
                // Cargo adds this to the arguments of every benchmark.
                Long("bench") => {}
                Short('h') | Long("help") => task = Task::Help,
                Long("list") => {
                    PEERS.iter().for_each(|peer| println!("{}", peer.name));
                    std::process::exit(0);
                }
                other => return Err(other.unexpected().into()),
            }
        }
        if let Some((workload, peer)) = sample {
            task = Task::Sample { workload, peer };
        }
        if let Some(stranger) = peers
            .iter()
            .find(|start| !PEERS.iter().any(|peer| peer.name.starts_with(*start)))
        {
            return Err(format!("no peer is called `{stranger}…`: see --list").into());
        }
        let both_worlds = only.as_ref().map_or(effort == Effort::Full, |only| {
            only.iter().any(|name| name == "W12")
        });
        let workloads = match only {
            None => WORKLOADS.to_vec(),
            Some(only) => chosen(&only)?,
        };
        let rounds = rounds.unwrap_or(if effort == Effort::Quick { 2 } else { 5 });
        Ok(Self {
            task,
            workloads,
            peers,
            both_worlds,
            rounds,
            effort,
            json,
            read,
            charts,
            executable,
        })
    }
}

fn list(text: &str) -> Vec<String> {
    text.split(',')
        .map(|part| part.trim().to_owned())
        .filter(|part| !part.is_empty())
        .collect()
}

fn chosen(only: &[String]) -> Result<Vec<Workload>, String> {
    if let Some(stranger) = only
        .iter()
        .find(|name| *name != "W12" && Workload::named(name).is_none())
    {
        return Err(format!("there is no workload `{stranger}`"));
    }
    // `W12` without others selects every workload that both worlds run.
    let alone = only.iter().all(|name| name == "W12");
    Ok(WORKLOADS
        .into_iter()
        .filter(|workload| {
            only.iter().any(|name| name == workload.name())
                || (alone && workload.is_in_both_worlds())
        })
        .collect())
}
