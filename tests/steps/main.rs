//! The steps that a host is told, in every form of submission. One thread, so that each step has
//! one place.

use core::cell::RefCell;
use core::fmt::Write as _;
use core::future::{Future, poll_fn};
use core::task::{Context, Poll, Waker};

use slotted::{
    Awaits, Clock, Executor, Outcome, Park, Refusal, Shutdown, SpinHost, Step, Submitter,
    TaskError, TaskKey, Timetable,
};

#[path = "../stage/told.rs"]
#[cfg(feature = "std")]
mod told;
#[cfg(feature = "std")]
mod workers;

std::thread_local! {
    static TOLD: RefCell<Vec<Step>> = const { RefCell::new(Vec::new()) };
}

/// Keeps what the calling thread tells.
struct Keeps;

impl Park for Keeps {
    type Thread = ();
    type Order = slotted::Fifo;
    fn current() {}
    fn current_id() -> usize {
        SpinHost::current_id()
    }
    fn park() {
        SpinHost::park();
    }
    fn unpark((): &()) {}
    fn note(step: impl FnOnce() -> Step) {
        TOLD.with_borrow_mut(|told| told.push(step()));
    }
}

/// Time stands still.
impl Clock for Keeps {
    const TICKS_PER_SECOND: u64 = 1000;
    fn now() -> u64 {
        0
    }
    fn park_until(_deadline: u64) {}
}

type Pool = Executor<0, 4, 128, Keeps>;

/// What was told since the last time, in words: the slot and its generation, and the step.
fn told() -> String {
    let mut words = String::new();
    for step in TOLD.take() {
        let mut say = |task: TaskKey, word: &str| {
            write!(words, "{}.{} {word}; ", task.slot, task.generation).unwrap();
        };
        match step {
            Step::Submitted { task, .. } => say(task, "submitted"),
            Step::Started { task, worker, .. } => {
                assert_eq!(worker, None, "there are no workers");
                say(task, "started");
            }
            Step::Rested { task, .. } => say(task, "rested"),
            Step::Woken { task, .. } => say(task, "woken"),
            Step::Ended { task, outcome, .. } => say(task, &format!("{outcome:?}")),
            Step::Cancelled { task, .. } => say(task, "cancelled"),
            Step::Refused {
                task: Some(task),
                reason,
                ..
            } => say(task, &format!("refused: {reason:?}")),
            Step::Refused { reason, .. } => write!(words, "refused: {reason:?}; ").unwrap(),
            _ => write!(words, "{step:?}; ").unwrap(),
        }
    }
    words.trim_end_matches("; ").into()
}

/// Runs what is ready.
fn run(pool: &Pool) {
    while pool.run_one() {}
}

#[test]
fn a_closure_is_submitted_started_and_ended() {
    static POOL: Pool = Executor::new();
    let pool: Submitter<'_, 128, Keeps> = POOL.submitter();
    pool.submit(|| 1).unwrap().detach();
    assert_eq!(told(), "0.0 submitted");
    run(&POOL);
    assert_eq!(told(), "0.0 started; 0.0 Value");
    pool.submit_fallible(|| Err::<(), _>(1)).unwrap().detach();
    run(&POOL);
    assert_eq!(told(), "0.1 submitted; 0.1 started; 0.1 Failed");
    let first = pool.submit_blocking(|| 1).unwrap();
    let second = pool.reserve().unwrap().submit(|| 1).unwrap();
    assert_eq!(second.result_inline(), Ok(1));
    assert_eq!(first.result(), Ok(1));
    assert_eq!(
        told(),
        "0.2 submitted; 1.0 submitted; 1.0 started; 1.0 Value; 0.2 started; 0.2 Value"
    );
}

#[test]
fn a_cancelled_task_never_starts_or_never_again() {
    static POOL: Pool = Executor::new();
    let task = POOL.submit(|| 1).unwrap();
    assert!(task.canceller().cancel() && task.cancel());
    assert_eq!(told(), "0.0 submitted; 0.0 cancelled");
    drop(task);
    let future = POOL.submit_future(core::future::pending::<()>()).unwrap();
    run(&POOL);
    assert!(future.cancel());
    assert_eq!(
        told(),
        "0.1 submitted; 0.1 started; 0.1 rested; 0.1 cancelled"
    );
    drop(future);
    drop(POOL.submit(|| 1).unwrap().cancel_on_drop());
    assert_eq!(told(), "0.2 submitted; 0.2 cancelled");
}

/// A future that is ready after so many polls, and wakes itself in the last but one.
fn rests(times: u32, wakers: &'static std::sync::Mutex<Vec<Waker>>) -> impl Future<Output = ()> {
    let mut left = times;
    poll_fn(move |context: &mut Context<'_>| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        if left == 0 {
            context.waker().wake_by_ref();
        } else {
            wakers.lock().unwrap().push(context.waker().clone());
        }
        Poll::Pending
    })
}

#[test]
fn a_future_rests_and_is_woken_between_its_starts() {
    static POOL: Pool = Executor::new();
    static WAKERS: std::sync::Mutex<Vec<Waker>> = std::sync::Mutex::new(Vec::new());
    let mut future = POOL.submit_future(rests(2, &WAKERS)).unwrap();
    run(&POOL);
    assert_eq!(told(), "0.0 submitted; 0.0 started; 0.0 rested");
    let waker = WAKERS.lock().unwrap().pop().unwrap();
    waker.wake_by_ref();
    waker.wake_by_ref(); // it is in the queue already
    assert_eq!(told(), "0.0 woken");
    run(&POOL);
    // Woken in its poll, it goes back by itself.
    assert_eq!(told(), "0.0 started; 0.0 rested; 0.0 started; 0.0 Value");
    waker.wake();
    assert_eq!(future.try_result(), Some(Ok(())));
    assert_eq!(told(), "", "there is nothing to wake");
}

#[test]
fn a_future_that_gives_its_outcome_ends_with_it() {
    static POOL: Pool = Executor::new();
    static WAKERS: std::sync::Mutex<Vec<Waker>> = std::sync::Mutex::new(Vec::new());
    for (error, word) in [
        (TaskError::Broken, "Broken"),
        (TaskError::Cancelled, "cancelled"),
        (TaskError::NotStarted, "Broken"),
        (
            TaskError::Remote(slotted::error::RemoteError::TooLarge),
            "Error",
        ),
    ] {
        let future = async move {
            rests(1, &WAKERS).await;
            Err::<(), _>(error)
        };
        POOL.submit_future_outcome(future).unwrap().detach();
        run(&POOL);
        let told = told();
        let steps: Vec<_> = { told.split("; ") }
            .map(|step| step.split_once(' ').unwrap().1)
            .collect();
        assert_eq!(
            steps,
            ["submitted", "started", "rested", "started", word],
            "{told}"
        );
    }
}

#[test]
fn a_promise_is_never_started() {
    static POOL: Pool = Executor::new();
    let (promise, handle) = POOL.promise::<u8>().unwrap();
    assert_eq!(promise.set_running_or_notify_cancel(), Ok(true));
    promise.set_result(1).unwrap();
    assert!(promise.set_result(2).is_err());
    drop((promise, handle));
    assert_eq!(told(), "0.0 submitted; 0.0 Value");
    let (promise, handle) = POOL.reserve().unwrap().promise::<u8>();
    drop((promise, handle));
    assert_eq!(told(), "0.1 submitted; 0.1 Broken");
    let (promise, handle) = POOL.promise::<u8>().unwrap();
    assert!(handle.cancel() && promise.set_result(2).is_err());
    drop((promise, handle));
    assert_eq!(told(), "0.2 submitted; 0.2 cancelled");
    let (promise, _handle) = POOL.promise::<u8>().unwrap();
    promise.complete(Err(TaskError::Cancelled)).unwrap();
    assert_eq!(told(), "0.3 submitted; 0.3 cancelled");
}

#[test]
fn a_callback_is_no_task() {
    static POOL: Pool = Executor::new();
    let handle = POOL.submit(|| 1).unwrap();
    handle
        .add_done_callback(|_| {
            // Within the end of its task.
            assert_eq!(told(), "0.0 submitted; 0.0 started; 0.0 Value");
        })
        .unwrap();
    run(&POOL);
    drop(handle);
    // The callback had the slot that the next task has.
    POOL.submit(|| 1).unwrap().detach();
    let next = POOL.submit(|| 1).unwrap();
    assert!(next.cancel());
    run(&POOL);
    let told = told();
    assert!(told.contains("1.1 ") && told.contains("0.1 "), "{told}");
}

#[test]
fn a_refused_task_has_no_life_or_a_short_one() {
    static POOL: Executor<0, 1, 128, Keeps> = Executor::new();
    let permit = POOL.reserve().unwrap();
    assert!(POOL.submit(|| 1).is_err());
    assert!(POOL.promise::<u8>().is_err());
    assert!(POOL.submit_future(async {}).is_err());
    assert_eq!(told(), ["refused: Full"; 3].join("; "));
    POOL.shutdown(Shutdown::Drain).unwrap();
    assert!(permit.submit(|| 1).is_err());
    assert!(POOL.submit(|| 1).is_err());
    assert!(POOL.submit_future(async {}).is_err());
    assert!(POOL.reserve().is_err());
    assert_eq!(
        told(),
        "0.0 submitted; 0.0 refused: ShutDown; 0.1 submitted; 0.1 refused: ShutDown; \
         0.2 submitted; 0.2 refused: ShutDown; refused: ShutDown"
    );
    assert_eq!(POOL.stats().refused, 7);
}

#[test]
fn tasks_of_a_scope_and_of_a_map_are_tasks() {
    let pool: Pool = Executor::new();
    let word = String::from("four");
    pool.scope(|s| {
        s.submit(|| word.len()).unwrap().detach();
        assert_eq!(s.map(["a", "b"], str::len).flatten().sum::<usize>(), 2);
    });
    let mut chunks = [1, 2, 3];
    pool.scope(|s| s.for_each_chunk(&mut chunks, 1, |chunk| chunk[0] += 1))
        .unwrap();
    assert_eq!(pool.map([1, 2], |n| n + 1).flatten().sum::<i32>(), 5);
    let steps = TOLD.take();
    let count = |is: fn(&Step) -> bool| steps.iter().filter(|step| is(step)).count();
    let submitted = count(|step| matches!(step, Step::Submitted { .. }));
    assert_eq!(submitted, 3 + 3 + 2);
    assert_eq!(
        count(|step| matches!(
            step,
            Step::Ended {
                outcome: Outcome::Value,
                ..
            }
        )),
        submitted
    );
    #[cfg(feature = "std")]
    told::check(&steps, &pool.stats(), false);
}

#[test]
fn a_shutdown_cancels_what_waits_and_what_rests() {
    static POOL: Pool = Executor::new();
    let resting = POOL.submit_future(core::future::pending::<()>()).unwrap();
    run(&POOL);
    let waiting = POOL.submit(|| 1).unwrap();
    POOL.shutdown(Shutdown::Cancel).unwrap();
    assert!(resting.cancelled() && waiting.cancelled());
    assert_eq!(
        told(),
        "0.0 submitted; 0.0 started; 0.0 rested; 1.0 submitted; 1.0 cancelled; 0.0 cancelled"
    );
}

#[test]
fn a_kind_tells_types_apart_and_an_executor_has_an_address() {
    static POOL: Pool = Executor::new();
    let kinds = |work: fn()| {
        work();
        run(&POOL);
        let told = TOLD.take();
        let [
            Step::Submitted { kind, task, .. },
            Step::Started { kind: again, .. },
            ..,
        ] = told[..]
        else {
            panic!("{told:?}");
        };
        assert_eq!(kind, again);
        assert_eq!(task.executor, core::ptr::from_ref(&POOL).addr());
        kind
    };
    fn submit(number: u64) {
        POOL.submit(move || core::hint::black_box(number))
            .unwrap()
            .detach();
    }
    let first = kinds(|| submit(1));
    assert_eq!(first, kinds(|| submit(2)));
    assert_ne!(first, kinds(|| POOL.submit(|| "text").unwrap().detach()));
    assert_ne!(
        first,
        kinds(|| POOL.submit_future(async {}).unwrap().detach())
    );
}

#[test]
fn a_submitted_task_tells_what_it_waits_for() {
    static POOL: Pool = Executor::new();
    static TIMES: Timetable<1, Keeps> = Timetable::new();
    let awaits = || {
        let told = TOLD.take();
        let [Step::Submitted { awaits, .. }] = told[..] else {
            panic!("{told:?}");
        };
        awaits
    };
    let closure = POOL.submit(|| 1).unwrap();
    assert_eq!(awaits(), Awaits::Worker);
    let future = POOL.submit_future(async {}).unwrap();
    assert_eq!(awaits(), Awaits::Worker);
    let (promise, handle) = POOL.promise::<u8>().unwrap();
    assert_eq!(awaits(), Awaits::Promise);
    let dated = TIMES.on(&POOL).submit_at(0, || 1).unwrap();
    assert_eq!(awaits(), Awaits::Date);
    // It is due, and enters the queue.
    TIMES.advance();
    assert_eq!(told(), "3.0 woken");
    drop((closure, future, promise, handle, dated));
}

#[test]
fn the_reason_is_the_executors() {
    static POOL: Executor<0, 1, 128, Keeps> = Executor::new();
    let _permit = POOL.reserve().unwrap();
    assert!(POOL.reserve().is_err());
    let told = TOLD.take();
    let [
        Step::Refused {
            executor,
            task: None,
            reason: Refusal::Full,
            ..
        },
    ] = told[..]
    else {
        panic!("{told:?}");
    };
    assert_eq!(executor, core::ptr::from_ref(&POOL).addr());
}
