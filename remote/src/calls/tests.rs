//! The table alone, frame by frame.

use super::*;

type TestCalls = Calls<2, 16>;

const TIMING: Timing = Timing::resend_after(10);

/// A table with one call, which has greeted.
fn greeted() -> (TestCalls, usize) {
    let mut calls = TestCalls::new();
    assert_eq!(calls.open(5, TIMING), Ended::None);
    let call = begin(&mut calls);
    let (header, body) = calls.next(0).unwrap();
    assert_eq!(header.kind, Kind::Hello);
    let hello = Hello::from_bytes(body).unwrap();
    assert_eq!(
        (hello.protocol, hello.bytes, hello.nonce),
        (PROTOCOL, 16, 5)
    );
    (calls, call)
}

fn begin(calls: &mut TestCalls) -> usize {
    calls.begin(TaskId::from_bits(9), |_| Some(3)).unwrap()
}

fn welcome(protocol: u8, theirs: u32, nonce: u32) -> [u8; GREETING] {
    Welcome {
        protocol,
        lanes: 2,
        bytes: 16,
        theirs,
        nonce,
    }
    .to_bytes()
}

fn receive(calls: &mut TestCalls, kind: Kind, body: &[u8]) -> Ended {
    calls.receive(&Header::greeting(kind), body, 0)
}

fn error(calls: &mut TestCalls, call: usize) -> Option<RemoteError> {
    calls.take(call, |outcome, _| outcome.err())?
}

#[test]
fn a_worker_of_another_version_ends_the_calls_and_the_next_call_greets_again() {
    let (mut calls, call) = greeted();
    let ended = receive(&mut calls, Kind::Welcome, &welcome(7, 5, 1));
    assert_eq!(ended, Ended::All);
    assert_eq!(
        error(&mut calls, call),
        Some(RemoteError::Version { theirs: 7 })
    );
    assert!(calls.next(0).is_none());
    let call = begin(&mut calls);
    assert_eq!(calls.next(0).unwrap().0.kind, Kind::Hello);
    let ended = receive(&mut calls, Kind::Welcome, &welcome(PROTOCOL, 6, 1));
    assert_eq!(ended, Ended::None);
    assert_eq!(calls.next(0).unwrap().0.kind, Kind::Call);
    assert!(!calls.has_ended(call));
}

#[test]
fn the_welcome_of_a_worker_that_restarted_ends_the_calls_that_were_sent() {
    let (mut calls, call) = greeted();
    let ended = receive(&mut calls, Kind::Welcome, &welcome(PROTOCOL, 5, 1));
    assert_eq!(ended, Ended::None);
    assert_eq!(calls.next(0).unwrap().0.kind, Kind::Call);
    let ended = receive(&mut calls, Kind::Welcome, &welcome(PROTOCOL, 5, 1));
    assert_eq!(ended, Ended::None, "the same again");
    let ended = receive(&mut calls, Kind::Welcome, &welcome(PROTOCOL, 5, 2));
    assert_eq!(ended, Ended::All);
    assert_eq!(error(&mut calls, call), Some(RemoteError::Restarted));
}

#[test]
fn a_call_that_waits_for_a_lane_gives_no_date() {
    let (mut calls, _) = greeted();
    let one_lane = Welcome {
        protocol: PROTOCOL,
        lanes: 1,
        bytes: 16,
        theirs: 5,
        nonce: 1,
    };
    let ended = receive(&mut calls, Kind::Welcome, &one_lane.to_bytes());
    assert_eq!(ended, Ended::None);
    begin(&mut calls);
    assert!(calls.next(3).is_some());
    assert!(calls.next(3).is_none());
    assert_eq!(calls.next_at(), Some(13), "of the call that was sent");
}

#[test]
fn a_worker_that_says_something_is_not_lost() {
    let mut calls = TestCalls::new();
    assert_eq!(calls.open(5, TIMING.lost_after(100)), Ended::None);
    begin(&mut calls);
    assert_eq!(calls.check_silence(0), Ended::None);
    let header = Header::greeting(Kind::Welcome);
    let ended = calls.receive(&header, &welcome(PROTOCOL, 5, 1), 90);
    assert_eq!(ended, Ended::None);
    assert_eq!(calls.check_silence(189), Ended::None);
    assert_eq!(calls.check_silence(190), Ended::All);
}

/// No look between the two calls told that nothing was owed.
#[test]
fn the_silence_of_an_abandoned_call_does_not_count_for_the_next() {
    let mut calls = TestCalls::new();
    assert_eq!(calls.open(5, TIMING.lost_after(100)), Ended::None);
    let call = begin(&mut calls);
    assert_eq!(calls.check_silence(0), Ended::None);
    calls.abandon(call);
    begin(&mut calls);
    assert_eq!(calls.check_silence(5000), Ended::None);
    assert_eq!(calls.check_silence(5100), Ended::All);
}

#[test]
fn a_welcome_of_an_earlier_session_is_not_one_of_this() {
    let (mut calls, _) = greeted();
    let ended = receive(&mut calls, Kind::Welcome, &welcome(PROTOCOL, 4, 1));
    assert_eq!(ended, Ended::None);
    assert!(calls.next(0).is_none(), "it waits for the answer");
    assert_eq!(calls.next(10).unwrap().0.kind, Kind::Hello);
}

#[test]
fn greetings_and_replies_that_are_cut_are_dropped() {
    let (mut calls, call) = greeted();
    let whole = welcome(PROTOCOL, 5, 1);
    for len in 0..GREETING {
        let ended = receive(&mut calls, Kind::Welcome, &whole[..len]);
        assert_eq!(ended, Ended::None);
        assert!(calls.next(0).is_none());
    }
    let ended = receive(&mut calls, Kind::Welcome, &whole);
    assert_eq!(ended, Ended::None);
    let header = calls.next(0).unwrap().0;
    let reply = |id, lane| Header {
        kind: Kind::Reply,
        id,
        lane,
        ..header
    };
    for (id, lane) in [(8, header.lane), (u32::MAX, header.lane), (0, 1), (0, 255)] {
        assert_eq!(calls.receive(&reply(id, lane), &[], 0), Ended::None);
    }
    let ended = calls.receive(&reply(0, header.lane), &[1], 0);
    assert_eq!(ended, Ended::One(call));
    let ended = calls.receive(&reply(0, header.lane), &[1], 0);
    assert_eq!(ended, Ended::None, "it came before");
}

/// What another worker, or an attacker, may send: no frame makes the table panic, and none ends
/// a call of a session that it does not name.
#[test]
fn no_frame_of_another_session_ends_a_call() {
    let (mut calls, call) = greeted();
    let ended = receive(&mut calls, Kind::Welcome, &welcome(PROTOCOL, 5, 1));
    assert_eq!(ended, Ended::None);
    let header = calls.next(0).unwrap().0;
    for kind in [
        Kind::Hello,
        Kind::Call,
        Kind::Cancel,
        Kind::Reply,
        Kind::Reset,
    ] {
        for session in [0, 1, header.session ^ 1] {
            let ended = calls.receive(
                &Header {
                    kind,
                    session,
                    ..header
                },
                &[0; 16],
                0,
            );
            assert_eq!(ended, Ended::None);
        }
    }
    assert!(!calls.has_ended(call));
    let reset = Header {
        kind: Kind::Reset,
        ..header
    };
    assert_eq!(calls.receive(&reset, &[], 0), Ended::All);
    assert_eq!(error(&mut calls, call), Some(RemoteError::Restarted));
}

/// The transport says when a node is gone: a limit of silence is not kept, and asks for no look.
#[cfg(feature = "nodes")]
#[test]
fn a_line_to_a_node_has_no_limit_of_silence() {
    let mut calls = Calls::<1, 16>::new();
    let timing = Timing::resend_after(10).lost_after(1);
    let _ = calls.open_node(1, timing);
    assert_eq!(calls.next_at(), Some(0), "the greeting is due");
    assert!(calls.next(5).is_some());
    assert_eq!(calls.next_at(), Some(15));
    assert_eq!(calls.check_silence(1000), Ended::None);
    assert_eq!(calls.next_at(), Some(15));
}
