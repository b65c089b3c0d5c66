//! Both ends of a line, and what passes between them.

use core::pin::pin;
use core::task::{Context, Poll, Waker};

use slotted::error::TaskError;
use slotted_remote::{Call, LineWorker, Link, Task, Timing, frame_bytes};

use super::table::Table;

pub(crate) const BYTES: usize = 64;
pub(crate) const RESEND: u64 = 10;

pub(crate) type TestLink = Link<4, BYTES>;
pub(crate) type Worker<const CALLS: usize = 4, const WORKER_BYTES: usize = BYTES> =
    LineWorker<Table, CALLS, WORKER_BYTES>;

pub(crate) fn open_link() -> TestLink {
    let link = Link::new();
    link.open(1, Timing::resend_after(RESEND));
    link
}

/// Gives the worker all frames of the link that are due.
pub(crate) fn send<const CALLS: usize, const WORKER_BYTES: usize>(
    link: &TestLink,
    worker: &mut Worker<CALLS, WORKER_BYTES>,
    now: u64,
) -> usize {
    let mut frame = [0; frame_bytes(BYTES)];
    let mut frames = 0;
    while let Some(len) = link.next(now, &mut frame) {
        frame[..len].iter().for_each(|&byte| worker.push(byte));
        frames += 1;
    }
    frames
}

/// Gives the link all frames of the worker that are due.
pub(crate) fn answer<const CALLS: usize, const WORKER_BYTES: usize>(
    link: &TestLink,
    worker: &mut Worker<CALLS, WORKER_BYTES>,
    now: u64,
) {
    let mut frame = vec![0; frame_bytes(WORKER_BYTES)];
    while let Some(len) = worker.next(&mut frame) {
        frame[..len].iter().for_each(|&byte| link.push(now, byte));
    }
}

/// Lets both ends talk until neither has anything to say.
pub(crate) fn talk<const CALLS: usize, const WORKER_BYTES: usize>(
    link: &TestLink,
    worker: &mut Worker<CALLS, WORKER_BYTES>,
    now: u64,
) {
    loop {
        let frames = send(link, worker, now);
        let ran = worker.run_one();
        answer(link, worker, now);
        if frames == 0 && !ran {
            break;
        }
    }
}

pub(crate) fn poll<T: Task>(
    call: &mut Call<'_, T, 4, BYTES>,
) -> Poll<Result<T::Output, TaskError>> {
    pin!(call).poll(&mut Context::from_waker(Waker::noop()))
}

/// The outcome of a task, called on a good line.
pub(crate) fn outcome<T: Task + core::fmt::Debug>(task: T) -> Result<T::Output, TaskError> {
    let (link, mut worker) = (open_link(), Worker::<4, BYTES>::new(2));
    let mut call = link.call(task).unwrap();
    talk(&link, &mut worker, 0);
    match poll(&mut call) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("the call has not ended"),
    }
}
