//! The command line.

use core::time::Duration;

use lexopt::{Arg, Parser, ValueExt};

pub(crate) const HELP: &str = "\
Submits tasks in every way from several threads, ends the lives of three executors several times a
second, and checks that each task ran, was cancelled or was refused exactly once.

Usage: soak [OPTIONS]

Options:
      --seconds N     How long the submitters work (default: 60)
      --seed S        What the submitters' choices come from (default: 1)
      --submitters N  How many threads submit (default: two for each processor, at least 4)
      --patience N    After so many seconds without a step of a thread the run fails (default: 30)
  -h, --help          Print this help

Exit status: 0 if every check passed, 1 if one failed, 2 for a wrong argument.
";

pub(crate) enum Request {
    Help,
    Soak(Arguments),
}

#[derive(Clone, Copy)]
pub(crate) struct Arguments {
    pub(crate) length: Duration,
    pub(crate) seed: u64,
    pub(crate) submitters: usize,
    pub(crate) patience: Duration,
}

/// # Errors
///
/// If an argument is wrong.
pub(crate) fn parse(mut parser: Parser) -> Result<Request, lexopt::Error> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut arguments = Arguments {
        length: Duration::from_secs(60),
        seed: 1,
        submitters: (2 * processors).max(4),
        patience: Duration::from_secs(30),
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Request::Help),
            Arg::Long("seconds") => arguments.length = seconds(&mut parser)?,
            Arg::Long("seed") => arguments.seed = parser.value()?.parse()?,
            Arg::Long("submitters") => {
                arguments.submitters = parser.value()?.parse_with(|text| match text.parse() {
                    Ok(0) => Err("no thread would submit".to_owned()),
                    Ok(count) => Ok(count),
                    Err(error) => Err(format!("{error}")),
                })?;
            }
            Arg::Long("patience") => arguments.patience = seconds(&mut parser)?,
            Arg::Short(_) | Arg::Long(_) | Arg::Value(_) => return Err(argument.unexpected()),
        }
    }
    Ok(Request::Soak(arguments))
}

fn seconds(parser: &mut Parser) -> Result<Duration, lexopt::Error> {
    parser.value()?.parse().map(Duration::from_secs)
}
