//! The worker's end of a line.

use core::cell::RefCell;
use core::hint::black_box;

use critical_section::Mutex;
use slotted_remote::{LineWorker, frame_bytes};

use super::link::{BYTES, CALLS, Work};

/// In a variable, so that the linker counts its RAM.
static WORKER: Mutex<RefCell<LineWorker<(Work,), CALLS, BYTES>>> =
    Mutex::new(RefCell::new(LineWorker::new(0)));

/// Takes a byte, runs a task, and sends the frames.
pub fn start() -> impl FnMut(u32) -> Option<u32> {
    |number| {
        critical_section::with(|section| {
            let mut worker = WORKER.borrow_ref_mut(section);
            worker.push(black_box(number as u8));
            worker.run_one();
            let mut frame = [0; frame_bytes(BYTES)];
            while let Some(len) = worker.next(&mut frame) {
                black_box(&frame[..len]);
            }
        });
        Some(number)
    }
}
