//! A token that a closure sends away. It is good only while the closure runs.
//~ error-contains: borrowed data escapes outside of closure
use slotted::Executor;
use std::sync::mpsc::channel;

fn main() {
    let executor: Executor<0, 1> = Executor::new();
    let (send, _receive) = channel();
    let _ = executor.submit_stoppable(move |stop| {
        #[cfg(not(control))]
        let _ = send.send(stop);
        #[cfg(control)]
        let _ = send.send(stop.requested());
    });
}
