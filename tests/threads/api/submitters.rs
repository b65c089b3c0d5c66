//! A `Submitter`: everything that takes tasks, without capacities in its type.

use core::future::Future;
use core::time::Duration;

use slotted::{
    Executor, Park, Refusal, ReturnWhen, Shutdown, SpinHost, StdHost, Submitter, TaskError, wait,
};

use super::block_on;
use crate::stage::{forever, with_crew, within_limit};

/// Uses every call, in one function for all executors.
fn use_every_call(pool: Submitter<'_>) {
    let copy = pool;
    assert_eq!(pool.submit(|| 1).unwrap().result(), Ok(1));
    let failing = copy.submit_fallible(|| Err::<u8, _>("no")).unwrap();
    let mut failing = [failing];
    let waited = wait(&mut failing, ReturnWhen::FirstError);
    assert_eq!(waited.done.len(), 1);
    drop(failing);
    assert_eq!(pool.submit_blocking(|| 2).unwrap().result(), Ok(2));
    let hour = Duration::from_secs(3600);
    assert_eq!(pool.submit_timeout(|| 3, hour).unwrap().result(), Ok(3));
    assert_eq!(
        pool.reserve().unwrap().submit(|| 4).unwrap().result(),
        Ok(4)
    );
    assert_eq!(
        pool.reserve_blocking()
            .unwrap()
            .submit(|| 5)
            .unwrap()
            .result(),
        Ok(5)
    );
    assert_eq!(
        pool.reserve_timeout(hour)
            .unwrap()
            .submit(|| 6)
            .unwrap()
            .result(),
        Ok(6)
    );
    let permit = block_on(pool.reserve_async()).unwrap();
    assert_eq!(permit.submit(|| 7).unwrap().result(), Ok(7));
    let (promise, handle) = pool.promise().unwrap();
    promise.complete(Ok(8)).unwrap();
    assert_eq!(handle.result(), Ok(8));
    let squares = pool.map::<4, _, _, _>(1.., |n: u32| n * n);
    assert_eq!(
        squares.map(Result::unwrap).take(5).collect::<Vec<_>>(),
        [1, 4, 9, 16, 25]
    );
    let text = String::from("borrowed");
    let length = pool.scope::<4, _>(|s| s.submit(|| text.len()).unwrap().result());
    assert_eq!(length, Ok(8));
    let mut numbers = [1; 10];
    let doubled = pool.scope::<4, _>(|s| {
        s.for_each_chunk(&mut numbers, 3, |chunk| {
            chunk.iter_mut().for_each(|n| *n *= 2)
        })
    });
    assert_eq!((doubled, numbers), (Ok(()), [2; 10]));
    let mapped = pool.scope::<2, _>(|s| {
        s.map(text.chars(), |c| c.is_lowercase())
            .all(|lower| lower.unwrap())
    });
    assert!(mapped);
}

#[test]
fn one_function_takes_executors_of_any_number_of_workers_and_slots() {
    static THREADED: Executor<3, 7> = Executor::new();
    within_limit(|| {
        let (single, many) = (Executor::<0, 1>::new(), Executor::<0, 100>::new());
        use_every_call(single.submitter());
        use_every_call(many.submitter());
        with_crew(&THREADED, |_| use_every_call(THREADED.submitter()));
        assert_eq!(THREADED.stats().slots_in_use, 0);
    });
}

/// The type says nothing of workers and slots, so submitters of unlike executors go in one array.
#[test]
fn submitters_of_executors_of_different_sizes_have_one_type() {
    let (small, large) = (Executor::<0, 1>::new(), Executor::<0, 9>::new());
    let submitters: [Submitter<'_>; 2] = [small.submitter(), large.submitter()];
    let handles = submitters.map(|pool| pool.submit(|| 1).unwrap());
    assert_eq!((small.stats().queued, large.stats().queued), (1, 1));
    assert_eq!(handles.map(|handle| handle.result()), [Ok(1), Ok(1)]);
}

#[test]
fn submitter_is_copied_and_sent_to_other_threads() {
    fn is_small<T: Copy + Send + Sync>(_: T) -> usize {
        size_of::<T>()
    }
    let executor: Executor<0, 2> = Executor::new();
    let pool = executor.submitter();
    assert!(is_small(pool) <= 2 * size_of::<usize>());
    let handles = std::thread::scope(|threads| {
        let spawned = [1, 2].map(|n| threads.spawn(move || pool.submit(move || n).unwrap()));
        spawned.map(|thread| thread.join().unwrap())
    });
    assert_eq!(executor.run_until_idle(), 2);
    assert_eq!(handles.map(|handle| handle.result()), [Ok(1), Ok(2)]);
}

/// A future goes to the submitter of an executor that lives for `'static`.
#[test]
fn submitter_of_a_static_executor_takes_futures() {
    static POOL: Executor<0, 2, 128> = Executor::new();
    fn answer<H: Park>(
        pool: Submitter<'static, 128, H>,
        future: impl Future<Output = u8> + Send + 'static,
    ) -> Result<u8, TaskError> {
        pool.submit_future(future).unwrap().result()
    }
    assert_eq!(answer(POOL.submitter(), async { 7 }), Ok(7));
    let permit = POOL.submitter().reserve().unwrap();
    assert_eq!(permit.submit_future(async { 8 }).unwrap().result(), Ok(8));
}

/// The host stays in the type: what it offers decides which calls there are.
#[test]
fn submitters_of_several_hosts_serve_one_generic_function() {
    fn answer<const BYTES: usize, H: Park>(pool: Submitter<'_, BYTES, H>) -> u8 {
        pool.submit(|| 7).unwrap().result().unwrap()
    }
    let (desktop, board) = (
        Executor::<0, 1>::new(),
        Executor::<0, 1, 32, SpinHost>::new(),
    );
    let _: Submitter<'_, 64, StdHost> = desktop.submitter();
    assert_eq!(answer(desktop.submitter()) + answer(board.submitter()), 14);
}

/// The window of a map bounds the tasks in flight, whatever the number of slots.
#[test]
fn map_of_a_submitter_keeps_its_window() {
    let executor: Executor<0, 16> = Executor::new();
    let mut map = executor.submitter().map::<3, _, _, _>(0..10, |n| n);
    assert_eq!(map.next(), Some(Ok(0)));
    assert_eq!(executor.stats().slots_high_water, 3);
    assert_eq!(
        map.map(Result::unwrap).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5, 6, 7, 8, 9]
    );
    assert_eq!(executor.stats().slots_high_water, 3);
}

/// A window that is larger than the executor is bounded by its slots.
#[test]
fn map_of_a_submitter_works_with_fewer_slots_than_its_window() {
    let executor: Executor<0, 2, 128> = Executor::new();
    let submitter = executor.submitter();
    let map = submitter.map::<8, _, _, _>(0..10, |n| n).buffersize(8);
    assert_eq!(map.map(Result::unwrap).sum::<i32>(), 45);
    let unordered = submitter.map::<8, _, _, _>(0..10, |n| n).unordered();
    assert_eq!(unordered.map(Result::unwrap).sum::<i32>(), 45);
    let chunked = submitter
        .map::<8, _, _, _>(0..10_i32, |n| n)
        .chunksize::<3>();
    assert_eq!(chunked.map(Result::unwrap).sum::<i32>(), 45);
    assert_eq!(
        (
            executor.stats().slots_in_use,
            executor.stats().slots_high_water
        ),
        (0, 2)
    );
}

#[test]
fn submitter_is_refused_what_its_executor_refuses() {
    let executor: &'static Executor<0, 1> = forever(Executor::new());
    let submitter = executor.submitter();
    let permit = submitter.reserve().unwrap();
    let refused = submitter.submit(|| 42).unwrap_err();
    assert_eq!(
        (refused.reason(), refused.into_inner()()),
        (Refusal::Full, 42)
    );
    drop(permit);
    executor.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(
        submitter.submit(|| 1).unwrap_err().reason(),
        Refusal::ShutDown
    );
    assert_eq!(submitter.promise::<u8>().unwrap_err(), Refusal::ShutDown);
    assert_eq!(executor.stats().refused, 3);
}
