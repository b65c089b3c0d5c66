//! Both ends of a line, and nothing between them.

use slotted_remote::{LineWorker, Timing, frame_bytes};

use super::link::{BYTES, CALLS, EXECUTOR, LINK, Work};

/// Submits a task, passes the frame to the worker, runs the task, passes the reply back, polls the
/// call, and takes the result.
pub fn start() -> impl FnMut(u32) -> Option<u32> {
    LINK.open(1, Timing::resend_after(20));
    let mut worker: LineWorker<(Work,), CALLS, BYTES> = LineWorker::new(2);
    move |number| {
        let mut handle = LINK.submit(EXECUTOR.submitter(), Work(number)).ok()?;
        let mut frame = [0; frame_bytes(BYTES)];
        // The first call has a greeting before it.
        for _ in 0..2 {
            while let Some(len) = LINK.next(0, &mut frame) {
                frame[..len].iter().for_each(|&byte| worker.push(byte));
            }
            worker.run_one();
            while let Some(len) = worker.next(&mut frame) {
                frame[..len].iter().for_each(|&byte| LINK.push(0, byte));
            }
            while EXECUTOR.run_one() {}
            if let Some(result) = handle.try_result() {
                return result.ok();
            }
        }
        None
    }
}
