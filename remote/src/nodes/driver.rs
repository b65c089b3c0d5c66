//! The thread of a pool of nodes: it sends what is due, and polls the calls that have ended.

use core::time::Duration;
use std::sync::OnceLock;
use std::time::Instant;

use super::LANES;
use super::pool::Nodes;
use super::transport::Transport;
use crate::frame::HEADER;

/// Milliseconds since the first call.
pub(super) fn now() -> u64 {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    let elapsed: Duration = BEGAN.get_or_init(Instant::now).elapsed();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// The driver of a pool.
pub(super) struct Driver<T, const NODES: usize, const QUEUE: usize, const BYTES: usize> {
    pool: &'static Nodes<NODES, QUEUE, BYTES>,
    transport: T,
}

impl<T: Transport, const NODES: usize, const QUEUE: usize, const BYTES: usize>
    Driver<T, NODES, QUEUE, BYTES>
{
    pub(super) fn new(pool: &'static Nodes<NODES, QUEUE, BYTES>, transport: T) -> Self {
        Self { pool, transport }
    }

    /// Drives the pool until it is shut down, and closes the transport.
    pub(super) fn run(mut self) {
        /// Also if the transport panics: no call must wait for ever.
        struct Close<const NODES: usize, const QUEUE: usize, const BYTES: usize>(
            &'static Nodes<NODES, QUEUE, BYTES>,
        );
        impl<const NODES: usize, const QUEUE: usize, const BYTES: usize> Drop
            for Close<NODES, QUEUE, BYTES>
        {
            fn drop(&mut self) {
                self.0.close();
            }
        }
        let _close = Close(self.pool);
        let mut frame = Vec::with_capacity(HEADER + BYTES);
        // Endless for a reason: the pool's life is.
        loop {
            self.pool.act(|state| state.keep_time(now()));
            self.send(&mut frame);
            self.pool.poll_calls();
            if !self.pool.wait_for_change(now) {
                break;
            }
        }
        // What tells the nodes of calls that were cancelled at the end.
        self.send(&mut frame);
    }

    /// Sends what is due now.
    ///
    /// Bound: a frame of each lane of all nodes, and a greeting. The rest waits for the next turn.
    fn send(&mut self, frame: &mut Vec<u8>) {
        let now = now();
        let most = NODES * (LANES + 1);
        // One frame at a time: the lock is not held while the transport waits.
        for _ in 0..most {
            let node = self.pool.lock().next_frame(now, frame);
            let Some(node) = node else { return };
            self.transport.send(&node, frame);
        }
        self.pool.lock().changed = true; // there may be more
    }
}
