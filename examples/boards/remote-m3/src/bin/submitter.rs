//! The board that submits. Its interrupt passes received bytes to the link; its loop sends frames,
//! polls the calls, checks their results, and sleeps until the next frame is due.
#![no_std]
#![no_main]

use core::fmt::Write;
use core::sync::atomic::{AtomicBool, Ordering};

use cortex_m_rt::{entry, exception};
use cortex_m_semihosting::{debug, hio};
use heapless::Vec;
use panic_semihosting as _;
use remote_m3::tasks::{Energy, Ran};
use remote_m3::uart;
use remote_m3::{BYTES, CALLS, board};
use slotted::error::{RemoteError, TaskError};
use slotted::{Executor, JoinHandle, SpinHost};
use slotted_remote::{Link, Task, Timing, frame_bytes};

static LINK: Link<CALLS, BYTES> = Link::new();
static EXECUTOR: Executor<0, 8, 96, SpinHost> = Executor::new();
/// True if a byte came since the loop looked.
static HAS_RECEIVED: AtomicBool = AtomicBool::new(false);

/// How many tasks the board submits.
const TASKS: u32 = 400;

#[exception]
unsafe fn DefaultHandler(line: i16) {
    let Some(line) = board::on_interrupt(line) else {
        return;
    };
    uart::clear(line);
    while let Some(byte) = uart::receive() {
        LINK.push(board::now(), byte);
        HAS_RECEIVED.store(true, Ordering::Relaxed);
    }
}

/// One turn of the loop: sends what is due, polls the calls, and sleeps if nothing happened.
fn turn() {
    let mut frame = [0; frame_bytes(BYTES)];
    while let Some(len) = LINK.next(board::now(), &mut frame) {
        uart::send(&frame[..len]);
    }
    let mut has_polled = false;
    while EXECUTOR.run_one() {
        has_polled = true;
    }
    board::sleep_until(LINK.next_at(), || {
        has_polled || HAS_RECEIVED.swap(false, Ordering::Relaxed)
    });
}

/// Has the other board run a task, and waits.
fn call<T: Task<Output: Send + 'static> + 'static>(task: T) -> Result<T::Output, TaskError> {
    let submitted = LINK.submit(EXECUTOR.submitter(), task);
    let mut handle = submitted.expect("a call is free");
    loop {
        if let Some(result) = handle.try_result() {
            return result;
        }
        turn();
    }
}

#[derive(Default)]
struct Outcomes {
    right: u32,
    wrong: u32,
    restarted: u32,
}

#[entry]
fn main() -> ! {
    let mut out = hio::hstdout().expect("the emulator has a console");
    let boot = board::start();
    // Longer than a busy machine keeps an emulator from running.
    LINK.open(boot, Timing::resend_after(10).lost_after(30_000));
    let mut outcomes = Outcomes::default();
    let mut under_way: Vec<(u32, JoinHandle<'static, u64, SpinHost>), 8> = Vec::new();
    let mut numbers = 0..TASKS;
    loop {
        while under_way.len() < CALLS {
            let Some(number) = numbers.next() else { break };
            let submitted = LINK.submit(EXECUTOR.submitter(), Energy::new(boot, number));
            let handle = submitted.expect("a call is free");
            let pushed = under_way.push((number, handle));
            assert!(pushed.is_ok(), "there is room");
        }
        if under_way.is_empty() {
            break;
        }
        turn();
        under_way.retain_mut(|(number, handle)| {
            let Some(result) = handle.try_result() else {
                return true;
            };
            match result {
                Ok(energy) if energy == Energy::new(boot, *number).energy() => outcomes.right += 1,
                Ok(_) => outcomes.wrong += 1,
                Err(TaskError::Remote(RemoteError::Restarted)) => {
                    outcomes.restarted += 1;
                    let _ = writeln!(out, "restarted {boot} {number}");
                }
                Err(error) => panic!("task {number}: {error}"),
            }
            false
        });
    }
    let Outcomes {
        right,
        wrong,
        restarted,
    } = outcomes;
    let ran = call(Ran).expect("the other board is there");
    let dropped = LINK.dropped();
    let (milliseconds, alarms) = (board::now(), board::alarms());
    let _ = writeln!(
        out,
        "done right {right} wrong {wrong} restarted {restarted} ran {ran} dropped {dropped} \
         milliseconds {milliseconds} alarms {alarms}"
    );
    board::finish("", debug::EXIT_SUCCESS);
}
