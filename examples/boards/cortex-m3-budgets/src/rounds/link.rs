//! The submitter's end of a line, with an executor that polls the calls.

use core::hint::black_box;

use serde::{Deserialize, Serialize};
use slotted::{Executor, SpinHost};
use slotted_remote::{Link, Task, Timing, frame_bytes};

use super::work;

/// Calls under way, and the room of an argument or a result.
pub const CALLS: usize = 4;
pub const BYTES: usize = 64;

pub(super) static LINK: Link<CALLS, BYTES> = Link::new();
pub(super) static EXECUTOR: Executor<0, 8, 96, SpinHost> = Executor::new();

/// The work, at the other end.
#[derive(Debug, Serialize, Deserialize)]
pub struct Work(pub u32);

impl Task for Work {
    const NAME: &str = "work/1";
    type Output = u32;

    fn run(self) -> u32 {
        work(self.0)
    }
}

/// Submits a task, sends the frames, takes a byte, polls the calls, and looks for the result.
pub fn start() -> impl FnMut(u32) -> Option<u32> {
    LINK.open(1, Timing::resend_after(20));
    |number| {
        let now = u64::from(number);
        let mut handle = LINK.submit(EXECUTOR.submitter(), Work(number)).ok()?;
        let mut frame = [0; frame_bytes(BYTES)];
        while let Some(len) = LINK.next(now, &mut frame) {
            black_box(&frame[..len]);
        }
        LINK.push(now, black_box(7));
        while EXECUTOR.run_one() {}
        handle.try_result()?.ok()
    }
}
