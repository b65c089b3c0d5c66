//! Completes a task by hand, as an interrupt handler or a driver does:
//! `cargo run --example promise`.

use std::sync::mpsc;
use std::thread;

use slotted::{Executor, TaskError};

/// An executor without workers, only for promises.
static READINGS: Executor<0, 4> = Executor::new();

fn main() {
    // The "interrupt": a thread that knows only the promise.
    let (arm, armed) = mpsc::channel::<slotted::Promise<'_, u16>>();
    let interrupt = thread::spawn(move || {
        for (promise, sample) in armed.into_iter().zip([512, 768]) {
            // `set_result` does not block and is safe in a real interrupt handler.
            match promise.set_running_or_notify_cancel() {
                Ok(true) => promise.set_result(sample).expect("it has one completer"),
                Ok(false) => println!("interrupt: sample {sample} was cancelled"),
                Err(error) => unreachable!("{error}"),
            }
        }
    });

    let (promise, reading) = READINGS.promise().expect("a slot");
    arm.send(promise).expect("the interrupt is on");
    let sample = reading.result().expect("a sample");
    println!("sample {sample}");
    assert_eq!(sample, 512);

    // The task is cancelled before the interrupt completes it. The interrupt sees that.
    let (promise, reading) = READINGS.promise().expect("a slot");
    assert!(reading.cancel());
    arm.send(promise).expect("the interrupt is on");
    assert!(reading.result().expect_err("cancelled").is_cancelled());

    // A dropped promise breaks its handle, so no thread waits without end.
    let (promise, reading) = READINGS.promise::<u16>().expect("a slot");
    drop(promise);
    let error = reading.result().expect_err("broken");
    println!("a dropped promise: {error}");
    assert!(matches!(error, TaskError::Broken));

    drop(arm);
    interrupt.join().expect("the interrupt does not panic");
}
