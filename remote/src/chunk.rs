//! Several tasks of one type in one call: what `chunksize` makes of them.
//!
//! The argument is how many there are, and each task's own bytes. The result has three bytes for
//! each task, its status and its length, and then what that task left.

use core::marker::PhantomData;

use heapless::Vec;
use slotted::error::{RemoteError, TaskError};

use crate::entries::Outcome;
use crate::frame::Status;
use crate::outcome::outcome_of;
use crate::pool_call::ReadOutcome;
use crate::run::{self, HEAD};
use crate::task::Task;

/// The outcomes of one chunk, in its order.
pub(crate) type Outcomes<T, const N: usize> = Vec<Result<<T as Task>::Output, TaskError>, N>;

/// Writes a chunk to the front of `bytes`. Returns how long it is, or `None` if it does not fit.
pub(crate) fn encode<T: Task, const N: usize>(
    tasks: &Vec<T, N>,
    bytes: &mut [u8],
) -> Option<usize> {
    let count = u16::try_from(tasks.len()).ok()?;
    let mut len = run::encode(&count, bytes)?;
    for task in tasks {
        len += run::encode(task, &mut bytes[len..])?;
    }
    Some(len)
}

/// Each task of the chunk has an outcome of its own. What ends the call ends all of them.
pub(crate) struct Chunk<T, const N: usize> {
    count: usize,
    task: PhantomData<fn() -> T>,
}

impl<T: Task, const N: usize> Chunk<T, N> {
    pub(crate) fn of(tasks: &Vec<T, N>) -> Self {
        Self {
            count: tasks.len(),
            task: PhantomData,
        }
    }

    fn all(&self, error: RemoteError) -> Outcomes<T, N> {
        let errors = (0..self.count).map(|_| Err(TaskError::Remote(error)));
        errors.collect()
    }

    /// The outcomes in a result, or `None` if there are not as many as tasks.
    fn split(&self, mut body: &[u8]) -> Option<Outcomes<T, N>> {
        let mut outcomes = Vec::new();
        for _ in 0..self.count {
            let (&[status, low, high], rest) = body.split_first_chunk::<HEAD>()?;
            let status = Status::from_bits(status.into())?;
            let (own, rest) = rest.split_at_checked(u16::from_le_bytes([low, high]).into())?;
            // There is room: a chunk has at most `N` tasks.
            let _ = outcomes.push(outcome_of::<T>(Ok(status), own));
            body = rest;
        }
        body.is_empty().then_some(outcomes)
    }
}

impl<T: Task, const N: usize> ReadOutcome for Chunk<T, N> {
    type Output = Result<Outcomes<T, N>, TaskError>;

    fn read(&self, outcome: Outcome, body: &[u8]) -> Self::Output {
        let error = match outcome {
            Outcome::Replied(Status::Done) => match self.split(body) {
                Some(outcomes) => return Ok(outcomes),
                None => RemoteError::BadBytes,
            },
            // Of a call that failed as a whole. The status tells no more of its tasks.
            Outcome::Replied(status) => match outcome_of::<T>(Ok(status), body) {
                Err(TaskError::Remote(error)) => error,
                Err(error) => return Err(error),
                Ok(_) => RemoteError::BadBytes,
            },
            Outcome::Failed(error) => error,
            Outcome::Cancelled => return Err(TaskError::Cancelled),
            Outcome::Broken => return Err(TaskError::Broken),
        };
        Ok(self.all(error))
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::run::chunk_runner;

    /// Returns as many bytes as its number says, or panics.
    #[derive(Debug, Serialize, Deserialize)]
    enum Makes {
        Bytes(usize),
        Panics,
    }

    impl Task for Makes {
        const NAME: &'static str = "makes/1";
        type Output = std::vec::Vec<u8>;

        fn run(self) -> Self::Output {
            match self {
                Self::Bytes(count) => vec![7; count],
                Self::Panics => panic!("as asked"),
            }
        }
    }

    /// Sends a chunk through a worker whose frames hold `room` bytes.
    fn play<const N: usize>(tasks: [Makes; N], room: usize) -> Outcomes<Makes, N> {
        let tasks = Vec::<Makes, N>::from_array(tasks);
        let mut bytes = [0; 256];
        let len = encode(&tasks, &mut bytes).expect("it fits");
        let (status, len) = chunk_runner::<Makes>(&mut bytes, len, room);
        let read = Chunk::of(&tasks).read(Outcome::Replied(status), &bytes[..len]);
        read.expect("each task has an outcome")
    }

    fn remote<T>(error: RemoteError) -> Result<T, TaskError> {
        Err(TaskError::Remote(error))
    }

    #[test]
    fn each_task_has_an_outcome_of_its_own() {
        let outcomes = play([Makes::Bytes(2), Makes::Panics, Makes::Bytes(0)], 256);
        assert_eq!(outcomes[0], Ok(vec![7; 2]));
        let Err(TaskError::Panicked(panic)) = &outcomes[1] else {
            panic!("{outcomes:?}");
        };
        assert!(panic.message().unwrap().starts_with("as asked"));
        assert_eq!(outcomes[2], Ok(vec![]));
    }

    #[test]
    fn a_result_that_leaves_no_room_for_the_heads_of_the_others_is_too_large_alone() {
        // A result of n bytes takes n + 1, for its length, behind a head of three.
        let fits = play([Makes::Bytes(5), Makes::Bytes(1)], 14);
        assert_eq!(fits[..], [Ok(vec![7; 5]), Ok(vec![7; 1])]);
        let wide = play([Makes::Bytes(8), Makes::Bytes(1)], 14);
        assert_eq!(wide[..], [remote(RemoteError::TooLarge), Ok(vec![7; 1])]);
    }

    #[test]
    fn a_chunk_whose_heads_do_not_fit_is_too_large_and_none_of_its_tasks_runs() {
        let outcomes = play([Makes::Panics, Makes::Panics], 5);
        assert!(
            outcomes
                .iter()
                .all(|one| *one == remote(RemoteError::TooLarge))
        );
        assert_eq!(outcomes.len(), 2);
    }

    #[test]
    fn bytes_that_are_no_tasks_are_each_tasks_bad_bytes() {
        let tasks = Vec::<Makes, 2>::from_array([Makes::Bytes(1), Makes::Bytes(1)]);
        let mut bytes = [0; 64];
        bytes[..4].copy_from_slice(&[2, 0, 1, 9]); // two tasks: one byte, and no such variant
        let (status, len) = chunk_runner::<Makes>(&mut bytes, 4, 64);
        let read = Chunk::of(&tasks).read(Outcome::Replied(status), &bytes[..len]);
        let bad = remote(RemoteError::BadBytes);
        assert_eq!(read.unwrap()[..], [Ok(vec![7; 1]), bad]);
    }

    #[test]
    fn a_result_of_fewer_or_more_tasks_is_bad_bytes() {
        let tasks = Vec::<Makes, 2>::from_array([Makes::Bytes(1), Makes::Bytes(1)]);
        let done = Outcome::Replied(Status::Done);
        let one = [0, 2, 0, 1, 7];
        for count in [1, 3] {
            let read = Chunk::of(&tasks).read(done, &one.repeat(count)).unwrap();
            assert_eq!(read.len(), 2);
            assert!(read.iter().all(|one| *one == remote(RemoteError::BadBytes)));
        }
        let read = Chunk::of(&tasks).read(done, &one.repeat(2)).unwrap();
        assert_eq!(read[..], [Ok(vec![7]), Ok(vec![7])]);
    }
}
