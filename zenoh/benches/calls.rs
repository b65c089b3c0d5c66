//! What a call to a node costs, beside a bare query of Zenoh to the same process: rounds of one
//! after another, medians.
//!
//! `cargo bench -p slotted-zenoh --bench calls`
//!
//! *Round trip*: submit a task, wait for its result, again. *Pipelined*: 64 outstanding, or as many
//! as the node's credits allow. The task squares a number, in a thread of the node, over TCP on the
//! loopback.

use core::time::Duration;
use std::io::Read;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use slotted::{Executor, Shutdown, StdThreads};
use slotted_remote::Task;
use slotted_remote::nodes::{ExecutorBackend, NodeOptions, Nodes};
use zenoh::Wait;

const ROUNDS: usize = 9;
const ROUND_TRIPS: u64 = 1000;
const PIPELINED: u64 = 5000;
const OUTSTANDING: usize = 64;
/// The key of the bare query.
const KEY: &str = "bench/square";

#[derive(Serialize, Deserialize)]
struct Square(u64);

impl Task for Square {
    const NAME: &str = "square/1";
    type Output = u64;

    fn run(self) -> u64 {
        self.0 * self.0
    }
}

static POOL: Nodes<1, OUTSTANDING, 64> = Nodes::new();
static EXECUTOR: Executor<1, OUTSTANDING> = Executor::new();

/// The other process: a node, and something that answers bare queries.
fn node(endpoint: &str, bare_endpoint: &str) {
    EXECUTOR
        .start(&StdThreads::new())
        .expect("it was not started");
    let backend = ExecutorBackend::<(Square,), 64>::new(&EXECUTOR);
    let config = |endpoint| slotted_zenoh::peer(&[], &[endpoint]).expect("it is an endpoint");
    let options = NodeOptions::new().credits(32);
    let node = slotted_zenoh::serve(backend, "bench", config(endpoint), options);
    let session = zenoh::open(config(bare_endpoint))
        .wait()
        .expect("the submitter listens");
    let answer = |query: zenoh::query::Query| {
        let bytes = query
            .payload()
            .map(|payload| payload.to_bytes().into_owned());
        let number = bytes.and_then(|bytes| Some(u64::from_le_bytes(bytes.try_into().ok()?)));
        let square = number.map_or(0, |number| number * number);
        // A query whose submitter is gone needs no answer.
        let _ = query.reply(KEY, square.to_le_bytes().to_vec()).wait();
    };
    let queryable = session.declare_queryable(KEY).callback(answer).wait();
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    drop((node, queryable));
}

/// Microseconds of one call: in a round trip, and pipelined.
type Figures = [f64; 2];

fn per_call(began: Instant, calls: u64) -> f64 {
    began.elapsed().as_secs_f64() * 1e6 / calls as f64
}

fn ours() -> Figures {
    let began = Instant::now();
    for number in 0..ROUND_TRIPS {
        let result = POOL.submit(Square(number)).expect("there is room").result();
        assert_eq!(result, Ok(number * number));
    }
    let round_trip = per_call(began, ROUND_TRIPS);
    let began = Instant::now();
    let squares = POOL.map((0..PIPELINED).map(Square));
    let sum: u64 = squares.map(|square| square.expect("it is a number")).sum();
    assert_eq!(
        sum,
        (0..PIPELINED).map(|number| number * number).sum::<u64>()
    );
    [round_trip, per_call(began, PIPELINED)]
}

fn bare(session: &zenoh::Session) -> Figures {
    let begin = |number: u64| {
        let query = session.get(KEY).payload(number.to_le_bytes().to_vec());
        query.wait().expect("the session is open")
    };
    let end = |replies: zenoh::handlers::FifoChannelHandler<zenoh::query::Reply>| {
        let reply = replies.recv().expect("it is answered").into_result();
        let bytes = reply
            .expect("it is no error")
            .payload()
            .to_bytes()
            .into_owned();
        u64::from_le_bytes(bytes.try_into().expect("it is a number"))
    };
    let began = Instant::now();
    for number in 0..ROUND_TRIPS {
        assert_eq!(end(begin(number)), number * number);
    }
    let round_trip = per_call(began, ROUND_TRIPS);
    let began = Instant::now();
    let mut under_way = std::collections::VecDeque::with_capacity(OUTSTANDING);
    let mut sum = 0;
    for number in 0..PIPELINED {
        if under_way.len() == OUTSTANDING {
            sum += under_way.pop_front().map_or(0, end);
        }
        under_way.push_back(begin(number));
    }
    sum += under_way.into_iter().map(end).sum::<u64>();
    assert_eq!(
        sum,
        (0..PIPELINED).map(|number| number * number).sum::<u64>()
    );
    [round_trip, per_call(began, PIPELINED)]
}

fn median(figures: &[Figures], which: usize) -> f64 {
    let mut figures: Vec<f64> = figures.iter().map(|figures| figures[which]).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// An endpoint that is not in use.
fn free_endpoint() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = listener.local_addr().expect("it has an address").port();
    format!("tcp/127.0.0.1:{port}")
}

/// Waits until the other process answers bare queries.
fn wait_for_answer(session: &zenoh::Session) {
    let began = Instant::now();
    let answers = || {
        let query = session
            .get(KEY)
            .payload(0_u64.to_le_bytes().to_vec())
            .wait();
        query.is_ok_and(|replies| replies.recv().is_ok())
    };
    while !answers() {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "nobody answers queries"
        );
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("node") {
        let endpoints: Vec<String> = arguments.collect();
        return node(&endpoints[0], &endpoints[1]);
    }
    let (endpoint, bare_endpoint) = (free_endpoint(), free_endpoint());
    let config = |endpoint: &str| slotted_zenoh::peer(&[endpoint], &[]).expect("it is an endpoint");
    slotted_zenoh::start(&POOL, "bench", config(&endpoint)).expect("the port is free");
    let session = zenoh::open(config(&bare_endpoint))
        .wait()
        .expect("the port is free");
    let mut node = Command::new(std::env::current_exe().expect("it runs"))
        .args(["node", &endpoint, &bare_endpoint])
        .stdin(Stdio::piped())
        .spawn()
        .expect("it is this program");
    assert!(POOL.wait_for(1, Duration::from_secs(60)), "no node came");
    wait_for_answer(&session);
    let (mut calls, mut queries) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        calls.push(ours());
        queries.push(bare(&session));
    }
    println!("µs, medians of {ROUNDS} rounds      round trip   pipelined");
    for (name, figures) in [
        ("a call of slotted-zenoh", calls),
        ("a bare query", queries),
    ] {
        let (round_trip, pipelined) = (median(&figures, 0), median(&figures, 1));
        println!("{name:28} {round_trip:10.1} {pipelined:11.1}");
    }
    POOL.shutdown(Shutdown::Drain).expect("no callback runs");
    drop(node.stdin.take());
    node.wait().expect("it has ended");
}
