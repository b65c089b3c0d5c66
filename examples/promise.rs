//! A task completed by hand, as an interrupt handler or a driver would: `cargo run --example
//! promise`.

use std::sync::mpsc;
use std::thread;

use slotted::{Executor, TaskError};

/// No workers: this executor only keeps promises.
static READINGS: Executor<0, 4> = Executor::new();

fn main() {
    // The "interrupt": a thread that knows nothing of tasks, only of the promise it was given.
    let (arm, armed) = mpsc::channel::<slotted::Promise<'_, u16>>();
    let interrupt = thread::spawn(move || {
        for (promise, sample) in armed.into_iter().zip([512, 768]) {
            // `set_result` does not block and is safe in a real interrupt handler.
            match promise.set_running_or_notify_cancel() {
                Ok(true) => promise
                    .set_result(sample)
                    .expect("nobody else completes it"),
                Ok(false) => println!("interrupt: nobody wants sample {sample} any more"),
                Err(error) => unreachable!("{error}"),
            }
        }
    });

    let (promise, reading) = READINGS.promise().expect("a slot");
    arm.send(promise).expect("the interrupt is on");
    let sample = reading.result().expect("a sample");
    println!("sample {sample}");
    assert_eq!(sample, 512);

    // Cancelled before it was kept: the giving end is told.
    let (promise, reading) = READINGS.promise().expect("a slot");
    assert!(reading.cancel());
    arm.send(promise).expect("the interrupt is on");
    assert!(reading.result().expect_err("cancelled").is_cancelled());

    // A promise that is dropped breaks its handle; nobody waits for ever.
    let (promise, reading) = READINGS.promise::<u16>().expect("a slot");
    drop(promise);
    let error = reading.result().expect_err("broken");
    println!("a dropped promise: {error}");
    assert!(matches!(error, TaskError::Broken));

    drop(arm);
    interrupt.join().expect("the interrupt does not panic");
}
