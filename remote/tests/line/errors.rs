//! How calls end, also at an end that is none of ours. An error is that of its own call.

use core::pin::pin;
use core::task::{Context, Poll, Waker};

use slotted::error::{RemoteError, TaskError};
use slotted_remote::{Link, Timing, frame_bytes};

use super::ends::{BYTES, RESEND, Worker, open_link, outcome, poll, talk};
use super::table::{Bytes, Count, Length, Missing, Odd, Panics, ReturnsOdd, forget};

#[test]
fn a_call_returns_what_the_task_returns() {
    assert_eq!(outcome(Count(7)), Ok(Count::output(7)));
}

#[test]
fn a_panic_is_the_tasks_error_with_its_message() {
    let Err(TaskError::Panicked(panic)) = outcome(Panics("no".into())) else {
        panic!("it panicked")
    };
    assert_eq!(panic.message(), Some("no"));
}

#[test]
fn a_message_that_does_not_fit_is_cut_at_a_character() {
    let Err(TaskError::Panicked(panic)) = outcome(Panics("ä".repeat(31))) else {
        panic!("it panicked")
    };
    assert_eq!(panic.message(), Some(&*"ä".repeat(31)));
}

#[test]
fn a_task_that_the_worker_does_not_know_is_unknown() {
    assert_eq!(
        outcome(Missing),
        Err(TaskError::Remote(RemoteError::Unknown))
    );
}

#[test]
fn an_argument_or_a_result_that_does_not_decode_is_bad_bytes() {
    let bad = TaskError::Remote(RemoteError::BadBytes);
    assert_eq!(outcome(Odd).unwrap_err(), bad);
    assert_eq!(outcome(ReturnsOdd).unwrap_err(), bad);
}

/// A length of one byte goes before the bytes.
#[test]
fn the_largest_argument_and_result_fit_and_larger_ones_are_too_large() {
    let too_large = TaskError::Remote(RemoteError::TooLarge);
    assert_eq!(outcome(Length(vec![1; BYTES - 1])), Ok(BYTES - 1));
    assert_eq!(outcome(Length(vec![1; BYTES])).unwrap_err(), too_large);
    assert_eq!(outcome(Bytes(BYTES - 1)), Ok(vec![7; BYTES - 1]));
    assert_eq!(outcome(Bytes(BYTES)).unwrap_err(), too_large);
}

/// The line goes on after each of them.
#[test]
fn an_error_is_that_of_its_own_call() {
    forget();
    let (link, mut worker) = (open_link(), Worker::<4, BYTES>::new(2));
    let mut large = link.call(Bytes(BYTES)).unwrap();
    let mut odd = link.call(Odd).unwrap();
    let mut missing = link.call(Missing).unwrap();
    let mut count = link.call(Count(1)).unwrap();
    talk(&link, &mut worker, 0);
    assert!(matches!(poll(&mut large), Poll::Ready(Err(_))));
    assert!(matches!(poll(&mut odd), Poll::Ready(Err(_))));
    assert!(matches!(poll(&mut missing), Poll::Ready(Err(_))));
    assert_eq!(poll(&mut count), Poll::Ready(Ok(Count::output(1))));
}

#[test]
fn a_worker_with_smaller_frames_makes_larger_arguments_and_results_too_large() {
    let (link, mut worker) = (open_link(), Worker::<4, 16>::new(2));
    let too_large = || Poll::Ready(Err(TaskError::Remote(RemoteError::TooLarge)));
    // Before the greeting, and after it.
    for _ in 0..2 {
        let mut length = link.call(Length(vec![1; 20])).unwrap();
        let mut bytes = link.call(Bytes(20)).unwrap();
        let mut count = link.call(Count(3)).unwrap();
        talk(&link, &mut worker, 0);
        assert_eq!(poll(&mut length), too_large());
        assert_eq!(
            poll(&mut bytes),
            Poll::Ready(Err(TaskError::Remote(RemoteError::TooLarge)))
        );
        assert_eq!(poll(&mut count), Poll::Ready(Ok(Count::output(3))));
    }
}

/// Neither end is a worker.
#[test]
fn two_links_that_face_each_other_complete_nothing() {
    let (link, other) = (open_link(), open_link());
    let mut call = link.call(Count(1)).unwrap();
    let mut others = other.call(Count(2)).unwrap();
    let mut frame = [0; frame_bytes(BYTES)];
    for now in (0..1000).step_by(10) {
        for (from, to) in [(&link, &other), (&other, &link)] {
            while let Some(len) = from.next(now, &mut frame) {
                frame[..len].iter().for_each(|&byte| to.push(now, byte));
            }
        }
    }
    assert!(poll(&mut call).is_pending() && poll(&mut others).is_pending());
}

/// Neither end is a submitter, and then one is a shell.
#[test]
fn a_worker_answers_neither_a_worker_nor_text() {
    let (mut worker, mut other) = (Worker::<4, BYTES>::new(2), Worker::<4, BYTES>::new(3));
    let mut frame = [0; frame_bytes(BYTES)];
    assert_eq!(worker.next(&mut frame), None);
    assert_eq!(other.next(&mut frame), None);
    for _ in 0..100 {
        b"login: root\r\n# \0"
            .iter()
            .for_each(|&byte| worker.push(byte));
        assert!(!worker.run_one());
        assert_eq!(worker.next(&mut frame), None);
    }
    assert_eq!(worker.dropped(), 100);
}

#[test]
fn a_link_with_smaller_frames_than_the_workers_gets_no_result_that_it_cannot_take() {
    let link: Link<4, 16> = Link::new();
    link.open(1, Timing::resend_after(RESEND));
    let mut worker = Worker::<4, BYTES>::new(2);
    let mut frame = [0; frame_bytes(BYTES)];
    let calls = [16, 15].map(|len| link.call(Bytes(len)).unwrap());
    for _ in 0..4 {
        while let Some(len) = link.next(0, &mut frame) {
            frame[..len].iter().for_each(|&byte| worker.push(byte));
        }
        while worker.run_one() {}
        while let Some(len) = worker.next(&mut frame) {
            frame[..len].iter().for_each(|&byte| link.push(0, byte));
        }
    }
    let outcomes = calls.map(|call| pin!(call).poll(&mut Context::from_waker(Waker::noop())));
    let too_large = TaskError::Remote(RemoteError::TooLarge);
    assert_eq!(
        outcomes,
        [Poll::Ready(Err(too_large)), Poll::Ready(Ok(vec![7; 15]))]
    );
}
