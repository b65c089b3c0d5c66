//! A node's table of one submitter that leaves, frame by frame.

use super::*;

/// A table whose submitter has greeted with that number.
fn greeted(nonce: u32) -> Replies<2, 16> {
    let mut replies = Replies::new(7);
    replies.renew(7, 2);
    hello(&mut replies, nonce);
    replies
}

fn hello(replies: &mut Replies<2, 16>, nonce: u32) {
    let hello = Hello {
        protocol: PROTOCOL,
        bytes: 16,
        nonce,
    };
    replies.receive(&Header::greeting(Kind::Hello), &hello.to_bytes());
}

/// A call of the session that was greeted with that number.
fn call(replies: &mut Replies<2, 16>, nonce: u32) {
    let header = Header {
        kind: Kind::Call,
        lane: 0,
        session: session(nonce, 7),
        sequence: 1,
        id: 9,
    };
    replies.receive(&header, &[]);
}

/// The number that the next welcome answers.
fn answered(replies: &mut Replies<2, 16>) -> Option<u32> {
    let (header, body) = replies.next()?;
    assert_eq!(header.kind, Kind::Welcome);
    Welcome::from_bytes(body).map(|welcome| welcome.theirs)
}

#[test]
fn a_late_greeting_of_an_earlier_session_acknowledges_nothing() {
    for earlier in [5, 4, u32::MAX] {
        let mut replies = greeted(6);
        replies.close();
        assert!(!replies.is_through());
        hello(&mut replies, earlier);
        assert!(!replies.is_through());
        hello(&mut replies, 7);
        assert!(replies.is_through());
    }
}

#[test]
fn a_late_greeting_before_the_drain_does_not_hide_the_submitter_from_its_notice() {
    let mut replies = greeted(6);
    hello(&mut replies, 5);
    replies.close();
    assert_eq!(answered(&mut replies), Some(6));
}

/// Its number has nothing to do with that of the life before.
#[test]
fn a_submitter_that_has_restarted_is_heard() {
    let mut replies = greeted(0x8000_0000);
    hello(&mut replies, 3);
    assert_eq!(answered(&mut replies), Some(3));
}

/// It has given them up.
#[test]
fn a_submitter_that_restarts_during_the_drain_leaves_no_calls() {
    let mut replies = greeted(6);
    call(&mut replies, 6);
    replies.close();
    hello(&mut replies, 0x9000_0000);
    assert!(replies.is_through());
}
