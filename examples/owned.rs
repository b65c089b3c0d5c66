//! One thread owns a connection that is not `Send`; others give it work:
//! `cargo run --example owned`.
//!
//! The connection keeps its counters in an `Rc`, as a C library might keep a pointer. No lock is
//! there, and the compiler refuses whatever would take it out of its thread.

use core::cell::Cell;
use std::rc::Rc;
use std::thread;

use slotted::error::WorkerStartError;
use slotted::{Owned, Shutdown, StdThreads, Stop, Stopped};

/// Counts what it sent.
struct Connection {
    sent: Rc<Cell<usize>>,
}

impl Connection {
    /// A place in the program where a real one would fail.
    fn open(address: &str) -> Result<Self, WorkerStartError> {
        if address.is_empty() {
            return Err(WorkerStartError);
        }
        Ok(Self {
            sent: Rc::default(),
        })
    }

    fn send(&mut self, text: &str) -> usize {
        self.sent.set(self.sent.get() + text.len());
        self.sent.get()
    }

    /// Sends until it is asked to stop.
    fn flood(&mut self, stop: &Stop) -> Result<(), Stopped> {
        loop {
            stop.check()?;
            self.send("x");
        }
    }
}

/// One owner, eight slots.
static CONNECTION: Owned<Connection, 8> = Owned::new();

fn main() {
    // The thread opens what it owns: it could not be sent there.
    CONNECTION
        .start(&StdThreads::new().prefix("connection"), || {
            Connection::open("example.org")
        })
        .expect("a thread is there");

    // Any thread gives it work, and has the result back.
    let totals: Vec<usize> = thread::scope(|s| {
        let senders = ["one", "two", "three"].map(|text| {
            s.spawn(move || {
                let sent = CONNECTION.submit(move |connection| connection.send(text));
                sent.expect("a slot is free")
                    .result()
                    .expect("it does not panic")
            })
        });
        let totals = senders.map(|sender| sender.join().expect("it does not panic"));
        totals.into()
    });
    assert_eq!(totals.iter().max(), Some(&11));
    println!("three threads sent {} bytes", 11);

    // What runs too long is asked to stop.
    let flood = CONNECTION
        .submit_stoppable(Connection::flood)
        .expect("a slot is free");
    while !flood.running() {
        thread::yield_now();
    }
    assert_eq!(flood.cancel_sync(), Ok(Err(Stopped)));
    println!("the flood has stopped");

    CONNECTION
        .shutdown(Shutdown::Drain)
        .expect("the owner leaves");

    // The next owner is this thread, with a connection of its own, which comes back.
    let worker = CONNECTION.worker().expect("the first owner has left");
    let last = CONNECTION.submit(|connection| connection.send("last"));
    CONNECTION.begin_shutdown(Shutdown::Drain);
    let connection = worker.run(Connection::open("example.net").expect("it opens"));
    assert_eq!(last.expect("a slot is free").result(), Ok(4));
    println!("the second connection sent {} bytes", connection.sent.get());
}
