//! The line between the boards.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use crate::board::Role;
use crate::noise::{Direction, Fates, Noise};
use crate::run::Event;

/// Bytes on their way to a board.
struct Way {
    direction: Direction,
    /// The board's UART, if the board has power.
    uart: Option<UnixStream>,
    bytes: VecDeque<(Instant, u8)>,
    /// When the last of them arrives.
    last: Instant,
}

impl Way {
    fn new(noise: Noise, seed: u64) -> Self {
        Self {
            direction: Direction::new(noise, seed),
            uart: None,
            bytes: VecDeque::new(),
            last: Instant::now(),
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let (byte, times, delay) = self.direction.pass(byte);
            self.last = self.last.max(Instant::now()) + delay;
            self.bytes.extend((0..times).map(|_| (self.last, byte)));
        }
    }

    /// Delivers the bytes whose time has come. A board without power hears nothing of them.
    fn deliver(&mut self) {
        let now = Instant::now();
        let due = self.bytes.iter().take_while(|&&(at, _)| at <= now).count();
        let bytes: Vec<u8> = self.bytes.drain(..due).map(|(_, byte)| byte).collect();
        if let Some(uart) = &mut self.uart
            && !bytes.is_empty()
            && uart.write_all(&bytes).is_err()
        {
            self.uart = None;
        }
    }
}

/// Both directions of the line.
pub(crate) struct Line {
    to_submitter: Way,
    to_worker: Way,
}

impl Line {
    pub(crate) fn new(noise: Noise) -> Self {
        Self {
            to_submitter: Way::new(noise, 1),
            to_worker: Way::new(noise, 2),
        }
    }

    fn way(&mut self, to: Role) -> &mut Way {
        match to {
            Role::Submitter => &mut self.to_submitter,
            Role::Worker => &mut self.to_worker,
        }
    }

    /// A board has power: its UART is joined to the line.
    pub(crate) fn join(
        &mut self,
        role: Role,
        uart: UnixStream,
        events: &Sender<Event>,
    ) -> std::io::Result<()> {
        let mut from = uart.try_clone()?;
        let events = events.clone();
        thread::spawn(move || {
            let mut bytes = [0; 256];
            while let Ok(len) = from.read(&mut bytes)
                && len > 0
                && events
                    .send(Event::Sent(role, bytes[..len].to_vec()))
                    .is_ok()
            {}
        });
        self.way(role).uart = Some(uart);
        Ok(())
    }

    /// A board has lost its power.
    pub(crate) fn part(&mut self, role: Role) {
        self.way(role).uart = None;
    }

    /// A board has sent bytes.
    pub(crate) fn put(&mut self, from: Role, bytes: &[u8]) {
        self.way(from.other()).put(bytes);
    }

    /// Delivers what is due. Returns how long it is until more is.
    pub(crate) fn deliver(&mut self) -> Option<Duration> {
        let ways = [&mut self.to_submitter, &mut self.to_worker];
        let next = ways.map(|way| {
            way.deliver();
            way.bytes.front().map(|&(at, _)| at)
        });
        let next = next.into_iter().flatten().min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// What happened to the bytes, both ways.
    pub(crate) fn fates(&self) -> Fates {
        let (a, b) = (
            self.to_submitter.direction.fates,
            self.to_worker.direction.fates,
        );
        Fates {
            passed: a.passed + b.passed,
            frames: a.frames + b.frames,
            lost: a.lost + b.lost,
            flipped: a.flipped + b.flipped,
            doubled: a.doubled + b.doubled,
            late: a.late + b.late,
        }
    }
}
