//! The behaviour of CPython 3.14's own tests of `concurrent.futures`
//! (`Lib/test/test_concurrent_futures/`), case by case.
//!
//! Each test has the name of its case: `test_done_callback_raises` of `test_future.py` is
//! `future::done_callback_raises`. The assertions are new. Where CPython sleeps to fix an order, a
//! channel, a gate or a stepped executor fixes it here. Each module lists the cases of its file
//! that have no meaning here. [`differences`] holds one test for each deliberate difference.
//!
//! Whole files left out: `test_process_pool.py` and `test_interpreter_pool.py` (no processes, no
//! interpreters), but for `test_map_chunksize` and `test_traceback`, which `executor` has.
#![cfg(feature = "std")]

mod as_completed;
mod deadlock;
mod differences;
mod executor;
mod future;
mod init;
#[path = "../stage/raise.rs"]
mod raise;
mod shutdown;
mod support;
mod thread_pool;
mod wait;
