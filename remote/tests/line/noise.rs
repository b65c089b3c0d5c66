//! Random programs on a line that does anything to frames and bytes.
//!
//! Whatever happens, a task runs at most once, and a result is that of a task that ran exactly
//! once. Once the line is good, every call ends in a bounded number of steps.

use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;
use slotted::error::{RemoteError, TaskError};
use slotted_remote::{Call, LineWorker, Link, Timing, frame_bytes};

use super::table::{Count, Table, forget, ran};

const CALLS: usize = 3;
const BYTES: usize = 16;
const RESEND: u64 = 10;

type TestLink = Link<CALLS, BYTES>;
type Worker = LineWorker<Table, CALLS, BYTES>;

/// A direction of the line.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Out,
    Back,
}

#[derive(Clone, Debug)]
enum Step {
    Call,
    Drop(usize),
    /// An end puts all its frames on the line.
    Send(Way),
    /// A frame arrives: not always the oldest.
    Arrive(Way, usize),
    Lose(Way, usize),
    Double(Way, usize),
    /// A copy of a frame that was sent long ago arrives.
    Late(Way, usize),
    Flip(Way, usize, usize, u8),
    Cut(Way, usize, usize),
    /// Bytes that no end sent.
    Noise(Way, Vec<u8>),
    Run,
    /// Both ends talk, and nothing goes wrong.
    Talk,
    Wait(u64),
    RestartWorker,
    RestartLink,
}

fn way() -> impl Strategy<Value = Way> {
    prop_oneof![Just(Way::Out), Just(Way::Back)]
}

fn step() -> impl Strategy<Value = Step> {
    let place = 0..4_usize;
    prop_oneof![
        6 => Just(Step::Call),
        2 => (0..8_usize).prop_map(Step::Drop),
        12 => way().prop_map(Step::Send),
        16 => (way(), prop_oneof![4 => Just(0), 1 => place.clone()])
            .prop_map(|(way, place)| Step::Arrive(way, place)),
        2 => (way(), place.clone()).prop_map(|(way, place)| Step::Lose(way, place)),
        2 => (way(), place.clone()).prop_map(|(way, place)| Step::Double(way, place)),
        2 => (way(), 0..12_usize).prop_map(|(way, age)| Step::Late(way, age)),
        1 => (way(), place.clone(), 0..40_usize, 0..8_u8)
            .prop_map(|(way, place, at, bit)| Step::Flip(way, place, at, bit)),
        1 => (way(), place, 0..40_usize).prop_map(|(way, place, at)| Step::Cut(way, place, at)),
        1 => (way(), vec(any::<u8>(), 0..8)).prop_map(|(way, bytes)| Step::Noise(way, bytes)),
        8 => Just(Step::Run),
        6 => Just(Step::Talk),
        4 => (0..100_u64).prop_map(Step::Wait),
        1 => Just(Step::RestartWorker),
        1 => Just(Step::RestartLink),
    ]
}

/// Both ends, and what is on the line between them.
struct World<'l> {
    link: &'l TestLink,
    worker: Worker,
    out: VecDeque<Vec<u8>>,
    back: VecDeque<Vec<u8>>,
    /// All frames that were sent.
    sent: Vec<(Way, Vec<u8>)>,
    calls: Vec<(u32, Call<'l, Count, CALLS, BYTES>)>,
    /// How many calls began.
    begun: u32,
    /// The last number that an end was given for a life.
    nonce: u32,
    now: u64,
    /// How many calls ended with a result.
    returned: u32,
}

impl<'l> World<'l> {
    fn new(link: &'l TestLink) -> Self {
        forget();
        link.open(1, Timing::resend_after(RESEND));
        Self {
            link,
            worker: Worker::new(2),
            out: VecDeque::new(),
            back: VecDeque::new(),
            sent: Vec::new(),
            calls: Vec::new(),
            begun: 0,
            nonce: 2,
            now: 0,
            returned: 0,
        }
    }

    fn line(&mut self, way: Way) -> &mut VecDeque<Vec<u8>> {
        match way {
            Way::Out => &mut self.out,
            Way::Back => &mut self.back,
        }
    }

    fn receive(&mut self, way: Way, bytes: &[u8]) {
        for &byte in bytes {
            match way {
                Way::Out => self.worker.push(byte),
                Way::Back => self.link.push(self.now, byte),
            }
        }
    }

    fn send(&mut self, way: Way) {
        let mut frame = [0; frame_bytes(BYTES)];
        loop {
            let len = match way {
                Way::Out => self.link.next(self.now, &mut frame),
                Way::Back => self.worker.next(&mut frame),
            };
            let Some(len) = len else { break };
            self.sent.push((way, frame[..len].to_vec()));
            self.line(way).push_back(frame[..len].to_vec());
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Call => {
                if let Ok(call) = self.link.call(Count(self.begun)) {
                    self.calls.push((self.begun, call));
                    self.begun += 1;
                }
            }
            Step::Drop(place) if place < self.calls.len() => drop(self.calls.remove(place)),
            Step::Send(way) => self.send(way),
            Step::Arrive(way, place) => {
                if let Some(frame) = self.line(way).remove(place) {
                    self.receive(way, &frame);
                }
            }
            Step::Lose(way, place) => drop(self.line(way).remove(place)),
            Step::Double(way, place) => {
                if let Some(frame) = self.line(way).get(place).cloned() {
                    self.line(way).push_back(frame);
                }
            }
            Step::Late(way, age) => {
                let of_way = { self.sent.iter().rev() }.filter(|(sent, _)| *sent == way);
                if let Some((_, frame)) = { of_way }.nth(age).cloned() {
                    self.receive(way, &frame);
                }
            }
            Step::Flip(way, place, at, bit) => {
                if let Some(byte) = { self.line(way).get_mut(place) }.and_then(|f| f.get_mut(at)) {
                    *byte ^= 1 << bit;
                }
            }
            Step::Cut(way, place, at) => {
                if let Some(frame) = self.line(way).get_mut(place) {
                    frame.truncate(at);
                }
            }
            Step::Noise(way, ref bytes) => self.receive(way, bytes),
            Step::Run => drop(self.worker.run_one()),
            Step::Talk => self.talk(),
            Step::Wait(ticks) => self.now += ticks,
            Step::RestartWorker => {
                self.nonce += 1;
                self.worker = Worker::new(self.nonce);
            }
            Step::RestartLink => {
                self.nonce += 1000; // a session that goes wrong counts on from the last number
                self.link.open(self.nonce, Timing::resend_after(RESEND));
            }
            Step::Drop(_) => {}
        }
    }

    /// Takes the outcomes that are there, and checks them.
    fn check(&mut self) {
        for number in 0..self.begun {
            assert!(ran(number) <= 1, "task {number} ran {} times", ran(number));
        }
        let mut context = Context::from_waker(Waker::noop());
        let mut returned = 0;
        self.calls.retain_mut(|(number, call)| {
            match pin!(call).poll(&mut context) {
                Poll::Pending => return true,
                Poll::Ready(Ok(output)) => {
                    assert_eq!(output, Count::output(*number));
                    assert_eq!(ran(*number), 1, "task {number} returned");
                    returned += 1;
                }
                Poll::Ready(Err(TaskError::Remote(error))) => assert!(
                    matches!(error, RemoteError::Restarted | RemoteError::Lost),
                    "task {number}: {error}"
                ),
                Poll::Ready(Err(error)) => panic!("task {number}: {error}"),
            }
            false
        });
        self.returned += returned;
    }

    /// All frames arrive, there and back.
    fn talk(&mut self) {
        for way in [Way::Out, Way::Back] {
            self.send(way);
            while let Some(frame) = self.line(way).pop_front() {
                self.receive(way, &frame);
            }
            while way == Way::Out && self.worker.run_one() {}
        }
    }

    /// The line is good from now on. Returns how many rounds it takes until all calls have ended.
    fn settle(&mut self) -> u32 {
        for round in 0.. {
            if self.calls.is_empty() && self.link.next_at().is_none() {
                return round;
            }
            assert!(round < 40, "{} calls never end", self.calls.len());
            self.now += 64 * RESEND;
            self.talk();
            self.check();
        }
        unreachable!("a round is the last")
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        failure_persistence: None, // Miri has no folders
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_task_runs_at_most_once_and_each_call_ends(steps in vec(step(), 0..120)) {
        let link = TestLink::new();
        let mut world = World::new(&link);
        for step in &steps {
            world.step(step);
            world.check();
        }
        world.settle();
    }

    /// Bytes that no end of ours sent.
    #[test]
    fn noise_completes_no_call(bytes in vec(any::<u8>(), 0..400)) {
        let link = TestLink::new();
        let mut world = World::new(&link);
        world.step(&Step::Call);
        for way in [Way::Out, Way::Back] {
            world.step(&Step::Noise(way, bytes.clone()));
            world.step(&Step::Run);
        }
        world.check();
        prop_assert_eq!(world.calls.len(), 1);
        prop_assert_eq!(ran(0), 0);
    }
}

/// The submitter's board starts anew. Then copies of its first greeting and of its first call come,
/// from a line that kept them. They begin no session again, and the call does not run twice.
#[test]
fn a_late_greeting_and_call_of_an_earlier_life_run_nothing() {
    let link = TestLink::new();
    let mut world = World::new(&link);
    for step in [Step::Call, Step::Talk, Step::Wait(RESEND), Step::Talk] {
        world.step(&step);
    }
    world.check();
    assert_eq!((world.returned, ran(0)), (1, 1));
    let copies: Vec<_> = { world.sent.iter() }
        .filter(|(way, _)| *way == Way::Out)
        .map(|(_, frame)| frame.clone())
        .collect();
    for step in [Step::RestartLink, Step::Call, Step::Talk, Step::Talk] {
        world.step(&step);
    }
    for frame in &copies {
        world.receive(Way::Out, frame);
        world.step(&Step::Run);
    }
    assert_eq!(ran(0), 1);
    world.settle();
    assert_eq!((world.returned, ran(1)), (2, 1));
}

/// The submitter's board counts its boots. Within the first, a session begins that counts on. The
/// second boot meets the worker in that session, and begins one of its own.
#[test]
fn a_board_that_counts_its_boots_begins_no_session_of_an_earlier_one() {
    let timing = Timing::resend_after(RESEND).lost_after(10 * RESEND);
    let link = TestLink::new();
    let mut world = World::new(&link);
    link.open(1, timing);
    world.step(&Step::Call);
    world.send(Way::Out);
    world.out.clear();
    world.step(&Step::Wait(20 * RESEND));
    world.send(Way::Out);
    world.check();
    assert!(world.calls.is_empty(), "the worker was silent for too long");
    for step in [Step::Call, Step::Talk, Step::Talk] {
        world.step(&step);
    }
    world.check();
    assert_eq!(world.returned, 1);
    link.open(2, timing);
    for step in [Step::Call, Step::Talk, Step::Talk] {
        world.step(&step);
    }
    world.check();
    assert_eq!((world.returned, ran(2)), (2, 1));
}

/// How many random programs run: `SLOTTED_PROGRAMS`, or fewer, and fewer still under Miri.
fn cases() -> u32 {
    if cfg!(miri) {
        return 2; // it has no environment
    }
    std::env::var("SLOTTED_PROGRAMS").map_or(200, |programs| programs.parse().unwrap())
}

/// A generator of numbers: xorshift, so that a run is the same each time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Returns true once in `times`.
    fn once_in(&mut self, times: u64) -> bool {
        self.next().is_multiple_of(times)
    }
}

/// One byte in so many is lost, and one flipped. No end restarts, so every call returns.
#[test]
fn each_call_runs_exactly_once_on_a_line_that_loses_and_flips_bytes() {
    let seeds = if cfg!(miri) { 1 } else { 20 };
    for seed in 1..=seeds {
        let link = TestLink::new();
        let (mut world, mut numbers) = (World::new(&link), Numbers(seed << 32 | 0x9e37_79b9));
        let times = 30 + seed;
        let calls = if cfg!(miri) { 4 } else { 200 };
        // Bound: a frame arrives whole with a fixed chance.
        while world.returned < calls {
            if world.begun < calls {
                world.step(&Step::Call);
            }
            for way in [Way::Out, Way::Back] {
                world.send(way);
                while let Some(frame) = world.line(way).pop_front() {
                    let mut noisy = Vec::new();
                    for byte in frame {
                        if !numbers.once_in(times) {
                            noisy.push(if numbers.once_in(times) {
                                byte ^ 0x10
                            } else {
                                byte
                            });
                        }
                    }
                    world.receive(way, &noisy);
                }
                while way == Way::Out && world.worker.run_one() {}
            }
            world.now += RESEND;
            world.check();
        }
        assert!((0..calls).all(|number| ran(number) == 1));
        world.settle();
    }
}
