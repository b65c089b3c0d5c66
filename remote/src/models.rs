//! Models of what threads and interrupts do to one link at once. `replies`, `calls` and `line` are
//! values of one owner: what they do is tested without threads.

use std::sync::Arc;
use std::vec::Vec;

use serde::{Deserialize, Serialize};
use slotted::error::TaskError;

use crate::{LineWorker, Link, RemoteError, Task, Timing, frame_bytes};

const BYTES: usize = 12;

#[derive(Serialize, Deserialize)]
struct Double(u8);

impl Task for Double {
    const NAME: &'static str = "double/1";
    type Output = u16;

    fn run(self) -> u16 {
        u16::from(self.0) * 2
    }
}

type Worker = LineWorker<Double, 2, BYTES>;

/// What the link has to say now.
fn frames<const CALLS: usize>(link: &Link<CALLS, BYTES>) -> Vec<Vec<u8>> {
    let mut frame = [0; frame_bytes(BYTES)];
    core::iter::from_fn(|| link.next(0, &mut frame).map(|len| frame[..len].to_vec())).collect()
}

/// What the worker says to that.
fn answers(worker: &mut Worker, frames: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    frames
        .concat()
        .into_iter()
        .for_each(|byte| worker.push(byte));
    while worker.run_one() {}
    let mut frame = [0; frame_bytes(BYTES)];
    core::iter::from_fn(|| worker.next(&mut frame).map(|len| frame[..len].to_vec())).collect()
}

/// A thread that receives a frame. Only the last byte makes a difference: the others go in before.
fn receive<const CALLS: usize>(
    link: &Arc<Link<CALLS, BYTES>>,
    frame: &[u8],
) -> loom::thread::JoinHandle<()> {
    let (&last, others) = frame.split_last().unwrap();
    others.iter().for_each(|&byte| link.push(0, byte));
    let link = link.clone();
    loom::thread::spawn(move || link.push(0, last))
}

/// A link that has greeted a worker.
fn greeted<const CALLS: usize>() -> (Arc<Link<CALLS, BYTES>>, Worker) {
    let link = Arc::new(Link::new());
    link.open(1, Timing::resend_after(10));
    let mut worker = Worker::new(2);
    let call = link.call(Double(0)).ok();
    let welcome = answers(&mut worker, frames(&link));
    welcome
        .concat()
        .into_iter()
        .for_each(|byte| link.push(0, byte));
    drop(call);
    assert!(frames(&link).is_empty());
    (link, worker)
}

/// The reply comes while the submitter polls for the first time: it is woken, or sees it.
#[test]
fn a_reply_against_the_first_poll() {
    loom::model(|| {
        let (link, mut worker) = greeted::<1>();
        let call = link.call(Double(4)).ok().unwrap();
        let reply = answers(&mut worker, frames(&link)).concat();
        let receiver = receive(&link, &reply);
        assert_eq!(loom::future::block_on(call), Ok(8));
        receiver.join().unwrap();
    });
}

/// The reply comes while the submitter drops the call: the slot is free afterwards, once the worker
/// has said what became of it.
#[test]
fn a_reply_against_a_cancel() {
    loom::model(|| {
        let (link, mut worker) = greeted::<1>();
        let call = link.call(Double(4)).ok().unwrap();
        let reply = answers(&mut worker, frames(&link)).concat();
        let receiver = receive(&link, &reply);
        drop(call);
        receiver.join().unwrap();
        let answer = answers(&mut worker, frames(&link)).concat();
        answer.into_iter().for_each(|byte| link.push(0, byte));
        assert!(link.next_at().is_none());
        assert!(link.call(Double(1)).is_ok());
    });
}

/// Two submitters want the last slot.
#[test]
fn two_submitters_for_the_last_slot() {
    loom::model(|| {
        let link = Arc::new(Link::<1, BYTES>::new());
        let other = {
            let link = link.clone();
            loom::thread::spawn(move || link.call(Double(1)).map(core::mem::forget).is_ok())
        };
        let ours = link.call(Double(2)).map(core::mem::forget).is_ok();
        assert!(ours != other.join().unwrap());
    });
}

/// The line begins anew while a reply comes: the call ends, one way or the other.
#[test]
fn a_reply_against_a_new_session() {
    loom::model(|| {
        let (link, mut worker) = greeted::<1>();
        let call = link.call(Double(4)).ok().unwrap();
        let reply = answers(&mut worker, frames(&link)).concat();
        let receiver = receive(&link, &reply);
        link.open(7, Timing::resend_after(10));
        let outcome = loom::future::block_on(call);
        assert!(matches!(
            outcome,
            Ok(8) | Err(TaskError::Remote(RemoteError::Lost))
        ));
        receiver.join().unwrap();
    });
}

/// A call begins while what sends the frames falls asleep: it is woken, or finds the frame.
#[test]
fn a_call_against_the_sleep_of_its_sender() {
    loom::model(|| {
        let (link, _worker) = greeted::<1>();
        let submitter = {
            let link = link.clone();
            loom::thread::spawn(move || link.call(Double(4)).map(core::mem::forget).is_ok())
        };
        let mut frame = [0; frame_bytes(BYTES)];
        let next = core::future::poll_fn(|context| link.poll_next(context, 0, &mut frame));
        assert!(loom::future::block_on(next) > 0);
        assert!(submitter.join().unwrap());
    });
}
