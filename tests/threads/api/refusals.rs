//! A refusal is an error that `?` passes on, also where the refused closure may not leave.

use core::cell::Cell;
use core::error::Error;

use slotted::{Executor, Refusal, Shutdown, SubmitError, TaskError};

/// Why `lengths` has no sum.
#[derive(Debug, PartialEq)]
enum Failure {
    Refused(Refusal),
    Ended(TaskError),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<TaskError> for Failure {
    fn from(error: TaskError) -> Self {
        Self::Ended(error)
    }
}

fn full() -> Executor<0, 1> {
    let executor = Executor::new();
    core::mem::forget(executor.reserve());
    executor
}

#[test]
fn refusal_is_an_error_that_says_why() {
    let refusals = [Refusal::Full, Refusal::ShutDown, Refusal::Broken];
    let errors: [Box<dyn Error + Send + Sync>; 3] = refusals.map(Into::into);
    let texts = errors.map(|error| error.to_string());
    assert!(texts[0].contains("full") && texts[1].contains("shut down"));
    assert!(texts[2].contains("broken"));
}

#[test]
fn refusal_is_made_from_the_error_of_every_submit() {
    let executor = full();
    let refused: SubmitError<_> = executor.submit(|| 1).unwrap_err();
    assert_eq!(Refusal::from(refused), Refusal::Full);
    executor.begin_shutdown(Shutdown::Drain);
    let refused = executor.submit_fallible(|| Ok::<_, ()>(())).unwrap_err();
    assert_eq!(Refusal::from(refused), Refusal::ShutDown);
}

/// A foreign pool refuses as an executor does, and callers cannot tell the two apart.
#[test]
fn refusal_of_a_foreign_pool_is_as_that_of_an_executor() {
    let task = || 1;
    for reason in [Refusal::Full, Refusal::ShutDown, Refusal::Broken] {
        let refused = SubmitError::new(task, reason);
        assert_eq!(refused.reason(), reason);
        assert_eq!(refused.to_string(), reason.to_string());
        assert_eq!(Refusal::from(refused), reason);
        assert_eq!(refused.into_inner()(), 1);
    }
    let executor = full();
    let own = executor.submit(task).unwrap_err();
    let foreign = SubmitError::new(task, Refusal::Full);
    assert_eq!(format!("{own:?}"), format!("{foreign:?}"));
}

/// The question mark makes the error of a submit a `Refusal`, which borrows nothing.
#[test]
fn question_mark_on_a_submit_that_borrows_gives_a_refusal() {
    fn length(executor: &Executor<0, 1>, text: &str) -> Result<Option<usize>, Refusal> {
        executor.scope(|s| Ok(s.submit(|| text.len())?.result().ok()))
    }
    assert_eq!(length(&Executor::new(), "four"), Ok(Some(4)));
    assert_eq!(length(&full(), "four"), Err(Refusal::Full));
}

/// `?` converts once, so a boxed error, and any other, is reached by way of `Refusal`.
#[test]
fn question_mark_on_a_submit_that_borrows_gives_a_boxed_error_by_way_of_refusal() {
    fn length(executor: &Executor<0, 1>, text: &str) -> Result<usize, Box<dyn Error>> {
        executor.scope(|s| {
            let handle = s.submit(|| text.len()).map_err(Refusal::from)?;
            Ok(handle.result()?)
        })
    }
    assert_eq!(length(&Executor::new(), "four").unwrap(), 4);
    let error = length(&full(), "four").unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Refusal::Full));
}

#[test]
fn question_mark_out_of_a_scope_gives_a_boxed_error() {
    fn length(executor: &Executor<0, 1>, text: &str) -> Result<usize, Box<dyn Error>> {
        let outcome =
            executor.scope(|s| -> Result<_, Refusal> { Ok(s.submit(|| text.len())?.result()) })?;
        Ok(outcome?)
    }
    assert_eq!(length(&Executor::new(), "four").unwrap(), 4);
    let error = length(&full(), "four").unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Refusal::Full));
}

/// An enum of one's own takes both errors.
#[test]
fn question_mark_gives_an_error_of_ones_own() {
    fn lengths(executor: &Executor<0, 1>, texts: &[&str]) -> Result<usize, Failure> {
        executor.scope(|s| {
            let mut sum = 0;
            for text in texts {
                sum += s.submit(|| text.len()).map_err(Refusal::from)?.result()?;
            }
            Ok(sum)
        })
    }
    assert_eq!(lengths(&Executor::new(), &["one", "three"]), Ok(8));
    assert_eq!(
        lengths(&full(), &["one"]),
        Err(Failure::Refused(Refusal::Full))
    );
}

#[test]
fn question_mark_on_for_each_chunk_gives_a_refusal_and_a_boxed_error() {
    fn double(executor: &Executor<0, 1>, numbers: &mut [u32]) -> Result<(), Refusal> {
        executor.scope(|s| {
            s.for_each_chunk(numbers, 2, |chunk| chunk.iter_mut().for_each(|n| *n *= 2))?;
            Ok(())
        })
    }
    fn double_boxed(executor: &Executor<0, 1>, numbers: &mut [u32]) -> Result<(), Box<dyn Error>> {
        executor.scope(|s| {
            s.for_each_chunk(numbers, 2, |chunk| chunk.iter_mut().for_each(|n| *n *= 2))?;
            Ok(())
        })
    }
    let executor = Executor::new();
    let mut numbers = [1, 2, 3, 4, 5];
    double(&executor, &mut numbers).unwrap();
    double_boxed(&executor, &mut numbers).unwrap();
    assert_eq!(numbers, [4, 8, 12, 16, 20]);
    executor.begin_shutdown(Shutdown::Drain);
    assert_eq!(double(&executor, &mut numbers), Err(Refusal::ShutDown));
    let error = double_boxed(&executor, &mut numbers).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Refusal::ShutDown));
    assert_eq!(
        numbers,
        [4, 8, 12, 16, 20],
        "what is refused is not touched"
    );
}

/// What a closure captures need not be `Sync` for its refusal to be passed on.
#[test]
fn question_mark_on_a_submit_whose_capture_is_not_sync_gives_a_refusal() {
    type Work = Box<dyn FnOnce() -> u32 + Send>;
    type SharedError = Box<dyn Error + Send + Sync>;
    fn work(executor: &Executor<0, 1>, work: Work) -> Result<Option<u32>, Refusal> {
        Ok(executor.submit(work)?.result().ok())
    }
    fn cell(executor: &Executor<0, 1>, cell: Cell<u32>) -> Result<u32, SharedError> {
        let handle = executor.submit(move || cell.get()).map_err(Refusal::from)?;
        Ok(handle.result()?)
    }
    assert_eq!(work(&Executor::new(), Box::new(|| 7)), Ok(Some(7)));
    assert_eq!(work(&full(), Box::new(|| 7)), Err(Refusal::Full));
    assert_eq!(cell(&Executor::new(), Cell::new(7)).unwrap(), 7);
    let error = cell(&full(), Cell::new(7)).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Refusal::Full));
}

#[test]
fn question_mark_on_reserve_and_promise_gives_a_boxed_error() {
    fn reserve(executor: &Executor<0, 1>) -> Result<u8, Box<dyn Error>> {
        let (promise, handle) = executor.reserve()?.promise();
        promise.complete(Ok(7))?;
        Ok(handle.result()?)
    }
    fn promise(executor: &Executor<0, 1>) -> Result<(), Box<dyn Error>> {
        drop(executor.promise::<u8>()?);
        Ok(())
    }
    assert_eq!(reserve(&Executor::new()).unwrap(), 7);
    assert!(promise(&Executor::new()).is_ok());
    for error in [reserve(&full()).unwrap_err(), promise(&full()).unwrap_err()] {
        assert_eq!(error.downcast_ref(), Some(&Refusal::Full));
    }
}
