//! Time limits, with a clock of the test's own.

use core::time::Duration;

use super::*;
use crate::frame::{GREETING, Hello, Status};
use crate::pool_submit::Terms;
use crate::task::TaskId;

type TestState = State<2, 8, 64>;

const TIMING: Timing = Timing::resend_after(1_000_000);
const LIMIT: Duration = Duration::from_millis(10);
/// From the millisecond in which the limit begins on: that one does not count.
const LATE: u64 = 11;

/// A frame that a node got: its kind, lane, session and sequence.
fn sent(state: &mut TestState, now: u64) -> Option<(Arc<str>, Header, std::vec::Vec<u8>)> {
    let mut frame = std::vec::Vec::new();
    let node = state.next_frame(now, &mut frame)?;
    let (header, body) = frame.split_first_chunk::<HEADER>().unwrap();
    Some((node, Header::from_bytes(header).unwrap(), body.to_vec()))
}

/// A node comes, and takes so many calls at once.
fn joins(state: &mut TestState, node: &str, lanes: u8, now: u64) {
    state.appeared(node);
    let (to, header, body) = sent(state, now).unwrap();
    assert_eq!((&*to, header.kind), (node, Kind::Hello));
    let welcome = Welcome {
        protocol: PROTOCOL,
        lanes,
        bytes: 64,
        theirs: Hello::from_bytes(&body).unwrap().nonce,
        nonce: 7,
    };
    let body: [u8; GREETING] = welcome.to_bytes();
    receive(state, node, Header::greeting(Kind::Welcome), &body, now);
}

fn receive(state: &mut TestState, node: &str, header: Header, body: &[u8], now: u64) {
    state.receive(node, &[&header.to_bytes(), body].concat(), now);
}

fn running() -> TestState {
    let mut state = TestState::new();
    state.begin(1, TIMING);
    state.life = Life::Running;
    state
}

/// A call, of which the pool has a future.
fn submit(state: &mut TestState, limit: Option<Duration>, retries: u32, now: u64) -> u16 {
    let terms = Terms { limit, retries };
    let id = TaskId::from_bits(9);
    let (index, _) = state.entries.begin(id, Some(&[1]), terms).unwrap();
    state.enqueue(index);
    state.dispatch(now);
    index
}

/// The call reaches a node: its frame.
fn reaches(state: &mut TestState, node: &str, now: u64) -> Header {
    let (to, header, _) = sent(state, now).unwrap();
    assert_eq!((&*to, header.kind), (node, Kind::Call));
    header
}

fn answer(state: &mut TestState, node: &str, call: Header, status: Status, now: u64) {
    let header = Header {
        kind: Kind::Reply,
        id: status as u32,
        ..call
    };
    receive(state, node, header, &[5], now);
}

const TIME_LIMIT: Phase = Phase::Ended(Outcome::Failed(RemoteError::TimeLimit));
const DONE: Phase = Phase::Ended(Outcome::Replied(Status::Done));

fn phase(state: &mut TestState, index: u16) -> Phase {
    state.entries.get(index).phase
}

#[test]
fn a_call_ends_when_its_time_is_up_and_not_before_and_the_node_is_told() {
    let mut state = running();
    joins(&mut state, "a", 1, 0);
    let late = submit(&mut state, Some(LIMIT), 0, 100);
    let waits = submit(&mut state, None, 0, 100);
    let call = reaches(&mut state, "a", 103);
    assert_eq!(
        state.next_at(),
        Some(100 + LATE),
        "from when the node got it"
    );
    state.keep_time(100 + LATE - 1);
    assert_eq!(phase(&mut state, late), Phase::Sent { place: 0 });
    state.keep_time(100 + LATE);
    assert_eq!(phase(&mut state, late), TIME_LIMIT);
    assert!(state.ended);
    let (_, told, _) = sent(&mut state, 100 + LATE).unwrap();
    assert_eq!(
        (told.kind, told.lane, told.sequence),
        (Kind::Cancel, call.lane, call.sequence)
    );
    // The credit comes back when the node has answered, and a late reply is dropped.
    assert_eq!(phase(&mut state, waits), Phase::Queued);
    answer(&mut state, "a", call, Status::Done, 500);
    assert_eq!(phase(&mut state, late), TIME_LIMIT);
    assert_eq!(phase(&mut state, waits), Phase::Sent { place: 0 });
}

#[test]
fn the_answer_and_the_limit_race_and_the_first_wins() {
    let mut state = running();
    joins(&mut state, "a", 2, 0);
    let (first, second) = (
        submit(&mut state, Some(LIMIT), 0, 0),
        submit(&mut state, Some(LIMIT), 0, 0),
    );
    let calls = [(); 2].map(|()| reaches(&mut state, "a", 0));
    // The reply is there before the driver looks, though the time is up.
    answer(&mut state, "a", calls[0], Status::Done, LATE);
    state.keep_time(LATE);
    answer(&mut state, "a", calls[1], Status::Done, LATE);
    assert_eq!(phase(&mut state, first), DONE);
    assert_eq!(phase(&mut state, second), TIME_LIMIT);
    assert_eq!(state.next_at(), None);
}

#[test]
fn what_a_call_waits_in_the_pool_does_not_count() {
    let mut state = running();
    let waits = submit(&mut state, Some(LIMIT), 0, 0);
    state.keep_time(1_000);
    assert_eq!(
        (phase(&mut state, waits), state.next_at()),
        (Phase::Queued, None)
    );
    joins(&mut state, "a", 1, 1_000);
    assert_eq!(phase(&mut state, waits), Phase::Sent { place: 0 });
    assert_eq!(state.next_at(), Some(0), "the call is to be sent");
    reaches(&mut state, "a", 1_000);
    assert_eq!(state.next_at(), Some(1_000 + LATE));
}

#[test]
fn a_frozen_node_keeps_its_credits_and_the_next_calls_go_to_another() {
    let mut state = running();
    joins(&mut state, "frozen", 1, 0);
    let late = submit(&mut state, Some(LIMIT), 0, 0);
    reaches(&mut state, "frozen", 0);
    joins(&mut state, "other", 1, 0);
    state.keep_time(LATE);
    assert_eq!(phase(&mut state, late), TIME_LIMIT);
    let next = submit(&mut state, Some(LIMIT), 0, LATE);
    assert_eq!(phase(&mut state, next), Phase::Sent { place: 1 });
}

/// Not tried again: it would take too long again.
#[test]
fn a_call_that_took_too_long_is_not_retried_and_one_that_was_lost_gets_its_time_anew() {
    let mut state = running();
    joins(&mut state, "a", 1, 0);
    let call = submit(&mut state, Some(LIMIT), 1, 0);
    reaches(&mut state, "a", 0);
    state.vanished("a", 8);
    joins(&mut state, "b", 1, 8);
    reaches(&mut state, "b", 8);
    state.keep_time(LATE);
    assert_eq!(phase(&mut state, call), Phase::Sent { place: 0 });
    state.keep_time(8 + LATE);
    assert_eq!(phase(&mut state, call), TIME_LIMIT);
}

/// The slot of a call that has ended is another's, whose limit is its own.
#[test]
fn the_date_of_an_earlier_call_does_not_end_a_later_one() {
    let mut state = running();
    joins(&mut state, "a", 1, 0);
    let first = submit(&mut state, Some(LIMIT), 0, 0);
    let call = reaches(&mut state, "a", 0);
    answer(&mut state, "a", call, Status::Done, 1);
    assert_eq!((phase(&mut state, first), state.next_at()), (DONE, None));
    let second = submit(&mut state, None, 0, 2);
    reaches(&mut state, "a", 2);
    state.keep_time(1_000);
    assert_eq!(phase(&mut state, second), Phase::Sent { place: 0 });
}

#[test]
fn limits_are_rounded_up_to_milliseconds_and_the_longest_never_ends() {
    let mut state = running();
    joins(&mut state, "a", 3, 0);
    let limits = [Duration::ZERO, Duration::from_nanos(1), Duration::MAX];
    let calls = limits.map(|limit| submit(&mut state, Some(limit), 0, 0));
    let ended = |state: &mut TestState| calls.map(|index| phase(state, index) == TIME_LIMIT);
    state.keep_time(0);
    assert_eq!(ended(&mut state), [false; 3]);
    state.keep_time(1);
    assert_eq!(ended(&mut state), [true, false, false]);
    state.keep_time(2);
    assert_eq!(ended(&mut state), [true, true, false]);
    state.keep_time(u64::MAX - 1);
    assert_eq!(ended(&mut state), [true, true, false]);
}
