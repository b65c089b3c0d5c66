//! One scenario: both boards, the line between them, and the checks.

use std::error::Error;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::board::{Board, Images, Role, Sockets};
use crate::ledger::Ledger;
use crate::line::Line;
use crate::noise::Noise;

/// How many tasks the submitter submits.
const TASKS: u32 = 400;
/// How many calls may be under way.
const CALLS: u32 = 4;
const TIME_LIMIT: Duration = Duration::from_secs(80);
/// How long a board that panics may take to say why.
const LAST_WORDS: Duration = Duration::from_secs(5);

pub(crate) struct Scenario {
    pub(crate) title: &'static str,
    pub(crate) noise: Noise,
    pub(crate) reset: Option<Reset>,
}

/// Cuts a board's power, and gives it power again.
#[derive(Clone, Copy)]
pub(crate) struct Reset {
    pub(crate) role: Role,
    /// When the worker has run so many tasks.
    pub(crate) after_tasks: usize,
}

/// What happens outside this thread.
pub(crate) enum Event {
    /// The UART of a board is there.
    Connected(Role, UnixStream),
    /// A board sent bytes.
    Sent(Role, Vec<u8>),
    /// A board, in that life, printed a line.
    Said(Role, u32, String),
    /// A board, in that life, stopped.
    Ended(Role, u32),
}

/// Runs a scenario, and prints what was checked. Returns false if a check failed.
pub(crate) fn print(scenario: &Scenario, images: &Images) -> Result<bool, Box<dyn Error>> {
    let (events, happened) = channel();
    let sockets = Sockets::listen(&events)?;
    let mut boots = [1, 1001];
    let start = |role, boot| Board::start(images, role, boot, &sockets.path(role), &events);
    let mut boards = [
        start(Role::Submitter, boots[0])?,
        start(Role::Worker, boots[1])?,
    ];
    let (mut line, mut ledger) = (Line::new(scenario.noise), Ledger::default());
    let mut reset = scenario.reset;
    let began = Instant::now();
    println!("{}", scenario.title);
    while ledger.report.is_none() {
        let left = TIME_LIMIT.saturating_sub(began.elapsed());
        let wait = line.deliver().unwrap_or(left).min(left);
        match happened.recv_timeout(wait) {
            Ok(Event::Connected(role, uart)) => line.join(role, uart, &events)?,
            Ok(Event::Sent(role, bytes)) => line.put(role, &bytes),
            Ok(Event::Said(role, boot, said)) => {
                if !ledger.enter(role, boot, &said) {
                    println!(
                        "FAILED the {} says: {said} {}",
                        role.name(),
                        rest_of(role, &happened)
                    );
                    return Ok(false);
                }
            }
            Ok(Event::Ended(role, boot)) if boots[role as usize] == boot => {
                println!("FAILED the {} stopped", role.name());
                return Ok(false);
            }
            // The life that a reset ended.
            Ok(Event::Ended(..)) => {}
            Err(RecvTimeoutError::Timeout) if left.is_zero() => {
                let tasks = ledger.tasks();
                println!("FAILED not done in {TIME_LIMIT:?}: {tasks} tasks ran");
                return Ok(false);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err("nothing happens any more".into()),
        }
        if let Some(Reset { role, .. }) = reset.take_if(|reset| ledger.tasks() >= reset.after_tasks)
        {
            line.part(role);
            boots[role as usize] += 1;
            boards[role as usize] = start(role, boots[role as usize])?;
        }
    }
    drop(boards);
    // What the boards printed may still be on its way. Bound: each life ends once.
    let mut ended = 0;
    while ended < Role::BOTH.len() {
        match happened.recv_timeout(TIME_LIMIT)? {
            Event::Said(role, boot, said) => drop(ledger.enter(role, boot, &said)),
            Event::Ended(role, boot) if boots[role as usize] == boot => ended += 1,
            Event::Connected(..) | Event::Sent(..) | Event::Ended(..) => {}
        }
    }
    Ok(judge(scenario, &ledger, boots, &line))
}

/// What else a board says that panicked, until it stops.
fn rest_of(role: Role, happened: &Receiver<Event>) -> String {
    let mut rest = Vec::new();
    let began = Instant::now();
    // Bound: the time, and the board stops after its panic.
    while let Ok(event) = happened.recv_timeout(LAST_WORDS.saturating_sub(began.elapsed())) {
        match event {
            Event::Said(of, _, said) if of == role => rest.push(said),
            Event::Ended(of, _) if of == role => break,
            _ => {}
        }
    }
    rest.join(" ")
}

/// Prints the checks. Returns false if one failed.
fn judge(scenario: &Scenario, ledger: &Ledger, boots: [u32; 2], line: &Line) -> bool {
    let [submitter, worker] = boots;
    let Some(report) = ledger.report else {
        return false;
    };
    let mut is_good = true;
    let mut check = |what: String, holds: bool| {
        println!("{} {what}", if holds { "ok" } else { "FAILED" });
        is_good &= holds;
    };
    let reset = scenario.reset.map(|reset| reset.role);
    let ended = report.right + report.wrong + report.restarted;
    check(
        format!("all {TASKS} calls end, and none is wrong"),
        report.boot == submitter && ended == TASKS && report.wrong == 0,
    );
    match reset {
        Some(Role::Worker) => check(
            format!("1 to {CALLS} calls end as restarted, all others are right"),
            (1..=CALLS).contains(&report.restarted),
        ),
        _ => check("all are right".into(), report.restarted == 0),
    }
    check(
        "each result is that of a task that ran".into(),
        ledger
            .returned(submitter, TASKS)
            .all(|task| ledger.has_run(task)),
    );
    check("no task ran twice".into(), ledger.ran_twice() == 0);
    check(
        "the worker counts what it ran since its boot".into(),
        report.ran == ledger.tasks_of(worker),
    );
    let all = ledger.tasks() as u32;
    // Each of four calls is repeated every 10 ms at most.
    check(
        "the submitter's clock has no tick".into(),
        2 * report.alarms < report.milliseconds,
    );
    match reset {
        None => check(
            format!("these are {TASKS}"),
            report.ran == TASKS && all == TASKS,
        ),
        Some(Role::Worker) => check(
            "both lives of the worker ran tasks".into(),
            (1..all).contains(&report.ran),
        ),
        Some(Role::Submitter) => check(
            "these are tasks of both lives of the submitter".into(),
            report.ran == all && all > TASKS,
        ),
    }
    let fates = line.fates();
    println!(
        "measured: {} ms, {} interrupts of the clock; {} frames of {} bytes, of which {} lost, \
         {} flipped, {} doubled, {} late; the submitter dropped {} frames",
        report.milliseconds,
        report.alarms,
        fates.frames,
        fates.passed,
        fates.lost,
        fates.flipped,
        fates.doubled,
        fates.late,
        report.dropped,
    );
    if reset == Some(Role::Worker) {
        println!(
            "measured: {} restarted, of which {} ran; {} ran before the reset",
            report.restarted,
            ledger.restarted_but_ran(),
            all - report.ran,
        );
    }
    is_good
}
