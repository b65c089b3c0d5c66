//! Prints what an executor costs in memory, on the machine of the build:
//! `cargo run --example sizes`.

use core::mem::size_of;

use slotted::{DefaultHost, Executor, JoinHandle, Park, SpinHost};

fn row<const W: usize, const Q: usize, const B: usize, H: Park>(host: &str) {
    let bytes = size_of::<Executor<W, Q, B, H>>();
    println!("{W:>7} {Q:>6} {B:>10} {host:>11} {bytes:>8}");
}

/// The bytes of one more slot, averaged over enough slots to fill whole cache lines.
fn slot<const B: usize, H: Park>(host: &str) -> usize {
    let bytes = (size_of::<Executor<0, 129, B, H>>() - size_of::<Executor<0, 1, B, H>>()) / 128;
    println!(
        "a slot of {B} bytes, {host}: {bytes} bytes, {} of them bookkeeping",
        bytes - B
    );
    bytes
}

/// The bytes of one more worker, averaged in the same way.
fn worker<H: Park>(host: &str) {
    let bytes = (size_of::<Executor<17, 1, 64, H>>() - size_of::<Executor<1, 1, 64, H>>()) / 16;
    println!("a worker, {host}: {bytes} bytes (and the stack that the host gives it)");
}

fn main() {
    println!("WORKERS  QUEUE SLOT_BYTES        host    bytes");
    row::<0, 1, 32, SpinHost>("SpinHost");
    row::<1, 8, 32, SpinHost>("SpinHost");
    row::<1, 16, 64, SpinHost>("SpinHost");
    row::<0, 1, 64, DefaultHost>("DefaultHost");
    row::<2, 16, 64, DefaultHost>("DefaultHost");
    row::<4, 64, 128, DefaultHost>("DefaultHost");
    row::<8, 1024, 256, DefaultHost>("DefaultHost");
    let small = slot::<64, SpinHost>("SpinHost");
    slot::<64, DefaultHost>("DefaultHost");
    worker::<SpinHost>("SpinHost");
    worker::<DefaultHost>("DefaultHost");
    println!(
        "a handle: {} bytes",
        size_of::<JoinHandle<'_, [u8; 1000]>>()
    );

    // Only the slots grow with QUEUE.
    let (one, many) = (
        size_of::<Executor<0, 1, 64, SpinHost>>(),
        size_of::<Executor<0, 1025, 64, SpinHost>>(),
    );
    assert_eq!(many - one, 1024 * small);
}
