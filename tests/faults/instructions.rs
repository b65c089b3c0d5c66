//! Races whose window is a few instructions wide: one of the threads is stopped after each of its
//! instructions, while the others do what they do.

use core::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, ThreadId};

use slotted::Executor;

use crate::stepper::{STRIDE, play, stop_after};
use crate::support::within_limit;

/// More instructions than any call here takes.
const LONG: u64 = 100_000;

/// A canceller of an earlier task may be anywhere in `cancel` when a submitter gets the slot for
/// another task. That task is run.
#[test]
fn cancel_of_an_earlier_task_leaves_the_task_in_its_slot_wherever_it_is() {
    within_limit(|| {
        for instruction in (0..LONG).step_by(STRIDE) {
            let executor: Executor<0, 1> = Executor::new();
            let earlier = executor.submit(|| ()).unwrap();
            assert!(executor.run_one());
            let canceller = earlier.canceller();
            let (mut earlier, mut later) = (Some(earlier), None);
            let mut reuse_the_slot = || {
                earlier.take().unwrap().result().unwrap();
                later = Some(executor.submit(|| ()).unwrap());
            };
            let cancel = || {
                stop_after(instruction, None);
                canceller.cancel();
            };
            if play(cancel, [&mut reuse_the_slot as &mut dyn FnMut()]) == 0 {
                return;
            }
            assert!(
                executor.run_one(),
                "the later task is lost, if the canceller is stopped after {instruction}"
            );
            later.unwrap().result().unwrap();
        }
        panic!("a cancel takes too long");
    });
}
