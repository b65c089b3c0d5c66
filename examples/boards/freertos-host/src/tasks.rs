//! Workers as RTOS tasks.

use core::error::Error;
use core::ffi::c_void;
use core::fmt::{self, Write};

use slotted::{Clock, Spawn, Worker};

use crate::host::FreeRtosHost;
use crate::kernel;

/// As long as a name may be under FreeRTOS's default configuration, without its NUL.
const NAME_LENGTH: usize = 15;

/// For how many ticks a creation is tried again. Tasks that ended keep their memory until the idle
/// task runs.
const PATIENCE: u32 = 10;

/// One RTOS task for each worker. It is deleted when the worker leaves.
///
/// The kernel takes stacks and control blocks from its own heap. After a shutdown they return to it
/// as soon as the idle task runs; a start that needs them waits up to ten ticks for that.
#[derive(Clone, Copy, Debug)]
pub struct FreeRtosTasks<'n> {
    prefix: &'n str,
    stack_words: u16,
    priority: u8,
}

impl<'n> FreeRtosTasks<'n> {
    /// Tasks named `slotted-0`, `slotted-1`, …, of priority 1, with a stack of 2048 bytes.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            prefix: "slotted",
            stack_words: 512,
            priority: 1,
        }
    }

    /// Names the tasks `prefix-0`, `prefix-1`, …. What is too long for the kernel is cut off the
    /// prefix.
    #[must_use]
    pub const fn prefix(self, prefix: &'n str) -> Self {
        Self { prefix, ..self }
    }

    /// Gives each task a stack of `bytes`, rounded up to words. It holds what the tasks of the
    /// executor need and, if one waits for another that has not started, what that needs on
    /// top.
    ///
    /// # Panics
    ///
    /// If it is more than the 65535 words that `freertos-next` can ask for.
    #[must_use]
    pub const fn stack_size(self, bytes: usize) -> Self {
        let words = bytes.div_ceil(size_of::<usize>());
        assert!(
            words <= u16::MAX as usize,
            "a stack of FreeRTOS has at most 65535 words"
        );
        Self {
            stack_words: words as u16,
            ..self
        }
    }

    /// Gives the tasks a priority: below `configMAX_PRIORITIES`, higher is more urgent.
    #[must_use]
    pub const fn priority(self, priority: u8) -> Self {
        Self { priority, ..self }
    }

    /// `prefix-index`, in the length that the kernel keeps.
    fn name(&self, index: usize) -> heapless::String<NAME_LENGTH> {
        let mut suffix: heapless::String<NAME_LENGTH> = heapless::String::new();
        // There are fewer workers than bits in a word.
        let _ = write!(suffix, "-{index}");
        let mut name = heapless::String::new();
        for letter in self.prefix.chars() {
            if name.len() + letter.len_utf8() + suffix.len() > NAME_LENGTH
                || name.push(letter).is_err()
            {
                break;
            }
        }
        let _ = name.push_str(&suffix); // fits by the loop's condition
        name
    }
}

impl Default for FreeRtosTasks<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// A worker's task: runs it, and ends.
extern "C" fn run<const NOTIFICATION: u32, const HERTZ: u64>(worker: *mut c_void) -> *mut c_void {
    // SAFETY: made by `into_raw` for the same host, and this task alone has it.
    let worker = unsafe { Worker::<FreeRtosHost<NOTIFICATION, HERTZ>>::from_raw(worker.cast()) };
    worker.run();
    kernel::delete_current_task()
}

impl<const NOTIFICATION: u32, const HERTZ: u64> Spawn<FreeRtosHost<NOTIFICATION, HERTZ>>
    for FreeRtosTasks<'_>
{
    type Error = Refused;

    fn spawn(&self, worker: Worker<FreeRtosHost<NOTIFICATION, HERTZ>>) -> Result<(), Refused> {
        let hertz = FreeRtosHost::<NOTIFICATION, HERTZ>::TICKS_PER_SECOND;
        if kernel::tick_period() != 1000 / hertz {
            return Err(Refused::TickRate {
                hertz,
                period: kernel::tick_period(),
            });
        }
        let name = self.name(worker.index());
        let worker = worker.into_raw();
        for _ in 0..PATIENCE {
            // A task of a higher priority runs, and may even end, before this returns.
            if kernel::create_task(
                run::<NOTIFICATION, HERTZ>,
                worker.cast(),
                &name,
                self.stack_words,
                self.priority,
            ) {
                return Ok(());
            }
            if !kernel::in_task() {
                break;
            }
            kernel::delay(1);
        }
        // SAFETY: made above, and no task was.
        drop(unsafe { Worker::<FreeRtosHost<NOTIFICATION, HERTZ>>::from_raw(worker) });
        Err(Refused::Heap {
            stack_size: usize::from(self.stack_words) * size_of::<usize>(),
        })
    }
}

/// Why there is no task for a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// The kernel's heap (`configTOTAL_HEAP_SIZE`) has no room for the task.
    Heap {
        /// The stack that was asked for, in bytes.
        stack_size: usize,
    },
    /// `configTICK_RATE_HZ` is not what [`FreeRtosHost`] was told: each timeout would be wrong.
    TickRate {
        /// What the host was told.
        hertz: u64,
        /// What the kernel says: milliseconds per tick.
        period: u64,
    },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Heap { stack_size } => {
                write!(
                    f,
                    "the heap of FreeRTOS has no room for a task with a stack of {stack_size} bytes"
                )
            }
            Self::TickRate { hertz, period } => {
                write!(
                    f,
                    "the host was made for {hertz} ticks per second, but a tick of FreeRTOS takes {period} ms"
                )
            }
        }
    }
}

impl Error for Refused {}
