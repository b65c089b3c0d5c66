//! Tasks that cross a border: values with a name, and the tables of those that a worker runs.

use core::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(feature = "std")]
use crate::run::chunk_runner;
use crate::run::{Runner, runner};

/// What another process, chip or machine runs: a value that is its own argument.
///
/// Both ends must know the type. Only its fields cross the border, never code. So a worker runs the
/// tasks of its own [table](Tasks) and nothing else.
///
/// # Python
///
/// The callable and the arguments of `ProcessPoolExecutor.submit`, which Python pickles.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use slotted_remote::Task;
///
/// #[derive(Serialize, Deserialize)]
/// struct Square(u32);
///
/// impl Task for Square {
///     const NAME: &str = "square/1";
///     type Output = u64;
///
///     fn run(self) -> u64 {
///         u64::from(self.0).pow(2)
///     }
/// }
/// assert_eq!(Square(7).run(), 49);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a task that another process or chip can run",
    note = "implement `slotted_remote::Task` for a type of your own that holds the arguments"
)]
pub trait Task: Serialize + DeserializeOwned {
    /// What both ends call the task. Change it when the meaning of the task or the layout of its
    /// argument or result changes: `"thumbnail/2"`. So a worker of an older program answers that it
    /// does not know the task, rather than something wrong.
    const NAME: &'static str;

    /// What the task returns. Errors of its own are values of it: a `Result`.
    type Output: Serialize + DeserializeOwned;

    /// Does the work, at the other end.
    fn run(self) -> Self::Output;
}

/// A task that may run twice: running it again does what running it once does.
///
/// A pool of processes or nodes runs such a task again if it is asked to: `submit_retry`.
///
/// ```
/// # #[derive(serde::Deserialize, serde::Serialize)]
/// # struct Square(u32);
/// # impl slotted_remote::Task for Square {
/// #     const NAME: &str = "square/1";
/// #     type Output = u64;
/// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
/// # }
/// impl slotted_remote::Idempotent for Square {} // it changes nothing in the world
/// ```
pub trait Idempotent: Task {}

/// The number of a task on the line: a hash of its [name](Task::NAME).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TaskId(u32);

impl TaskId {
    /// The number of the task `T`.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use slotted_remote::{Task, TaskId};
    /// # #[derive(Serialize, Deserialize)]
    /// # struct Square(u32);
    /// # impl Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// assert_eq!(TaskId::of::<Square>(), TaskId::of::<Square>());
    /// ```
    #[must_use]
    pub const fn of<T: Task>() -> Self {
        const { Self::hash(T::NAME) }
    }

    /// FNV-1a, 32 bits.
    const fn hash(name: &str) -> Self {
        let name = name.as_bytes();
        let (mut id, mut at) = (Self(0x811c_9dc5), 0);
        while at < name.len() {
            id = id.then(name[at]);
            at += 1;
        }
        id
    }

    /// The number of a name that has one more byte.
    const fn then(self, byte: u8) -> Self {
        Self((self.0 ^ byte as u32).wrapping_mul(0x0100_0193))
    }

    /// The number of several tasks in one call, whose single number this is. No name has the byte
    /// that it adds.
    const fn chunk(self) -> Self {
        self.then(0xff)
    }

    /// The number of several tasks `T` in one call.
    #[cfg(all(any(feature = "nodes", all(unix, feature = "process")), not(loom)))]
    pub(crate) const fn of_chunk<T: Task>() -> Self {
        Self::of::<T>().chunk()
    }

    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    pub(crate) const fn bits(self) -> u32 {
        self.0
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({:08x})", self.0)
    }
}

/// The names in a table, as a tree that the compiler walks.
#[doc(hidden)]
#[derive(Debug)]
pub enum Names {
    One(&'static str),
    Many(&'static [&'static Names]),
}

impl Names {
    /// How many names there are.
    const fn count(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(parts) => {
                let (mut sum, mut at) = (0, 0);
                while at < parts.len() {
                    sum += parts[at].count();
                    at += 1;
                }
                sum
            }
        }
    }

    /// The number of the name at a place.
    const fn id(&self, place: usize) -> u32 {
        match self {
            Self::One(name) => TaskId::hash(name).0,
            Self::Many(parts) => {
                let (mut before, mut at) = (0, 0);
                loop {
                    let count = parts[at].count();
                    if place < before + count {
                        return parts[at].id(place - before);
                    }
                    before += count;
                    at += 1;
                }
            }
        }
    }

    /// Fails to compile if two names, or their numbers, are equal.
    const fn assert_distinct(&self) {
        let (count, mut left) = (self.count(), 0);
        while left < count {
            let mut right = 0;
            while right < count {
                let (a, b) = (self.id(left), self.id(right));
                assert!(
                    (left == right || a != b) && TaskId(a).chunk().0 != b,
                    "slotted-remote: two tasks of this table have the same NAME, or two names with \
                     the same number: rename one"
                );
                right += 1;
            }
            left += 1;
        }
    }
}

/// The tasks that a worker runs: one task, or a tuple of up to 16 tables.
///
/// A tuple may hold tuples. Two tasks with the same [name](Task::NAME) in one table are an error of
/// the compiler.
///
/// ```compile_fail,E0080
/// # use serde::{Deserialize, Serialize};
/// # use slotted_remote::{LineWorker, Task};
/// # #[derive(Serialize, Deserialize)]
/// # struct Square(u32);
/// # impl Task for Square {
/// #     const NAME: &str = "square/1";
/// #     type Output = u64;
/// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
/// # }
/// let worker: LineWorker<(Square, (Square,)), 4, 64> = LineWorker::new(1);
/// ```
pub trait Tasks {
    #[doc(hidden)]
    const NAMES: Names;
    /// Checked wherever a worker is made.
    #[doc(hidden)]
    const DISTINCT: () = Self::NAMES.assert_distinct();

    /// The code that runs the task of a number.
    #[doc(hidden)]
    fn find(id: TaskId) -> Option<Runner>;

    /// The code that runs several tasks of one type in one call. A worker that never calls it does
    /// not hold it.
    #[doc(hidden)]
    #[cfg(feature = "std")]
    fn find_chunk(id: TaskId) -> Option<Runner>;
}

impl<T: Task> Tasks for T {
    const NAMES: Names = Names::One(T::NAME);

    #[inline]
    fn find(id: TaskId) -> Option<Runner> {
        (id == TaskId::of::<T>()).then_some(runner::<T> as Runner)
    }

    #[cfg(feature = "std")]
    fn find_chunk(id: TaskId) -> Option<Runner> {
        (id == TaskId::of::<T>().chunk()).then_some(chunk_runner::<T> as Runner)
    }
}

macro_rules! tuples {
    ($($table:ident)+) => {
        impl<$($table: Tasks),+> Tasks for ($($table,)+) {
            const NAMES: Names = Names::Many(&[$(&$table::NAMES),+]);

            #[inline]
            fn find(id: TaskId) -> Option<Runner> {
                $(if let Some(runner) = $table::find(id) {
                    return Some(runner);
                })+
                None
            }

            #[cfg(feature = "std")]
            fn find_chunk(id: TaskId) -> Option<Runner> {
                $(if let Some(runner) = $table::find_chunk(id) {
                    return Some(runner);
                })+
                None
            }
        }
    };
}

tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
tuples!(A B C D E F G);
tuples!(A B C D E F G I);
tuples!(A B C D E F G I J);
tuples!(A B C D E F G I J K);
tuples!(A B C D E F G I J K L);
tuples!(A B C D E F G I J K L M);
tuples!(A B C D E F G I J K L M N);
tuples!(A B C D E F G I J K L M N O);
tuples!(A B C D E F G I J K L M N O P);
tuples!(A B C D E F G I J K L M N O P Q);
