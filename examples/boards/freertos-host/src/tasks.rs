//! Workers as RTOS tasks.

use core::error::Error;
use core::ffi::c_void;
use core::fmt::{self, Write};

use slotted::{Clock, Order, Ordered, Park, Spawn, Worker};

use crate::host::FreeRtosHost;
use crate::kernel;

/// The longest name under FreeRTOS's default configuration, without its NUL.
const NAME_LENGTH: usize = 15;

/// For how many ticks `spawn` tries again to create a task. Ended tasks keep their memory until the
/// idle task runs.
const PATIENCE: u32 = 10;

/// Runs each worker in an RTOS task of its own, and deletes the task when the worker leaves.
///
/// The kernel takes stacks and control blocks from its own heap. After a shutdown, the idle task
/// returns them to it. A start that needs this memory waits up to ten ticks for it.
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

    /// Names the tasks `prefix-0`, `prefix-1`, …. If a name is too long for the kernel, the prefix
    /// is cut.
    #[must_use]
    pub const fn prefix(self, prefix: &'n str) -> Self {
        Self { prefix, ..self }
    }

    /// Gives each task a stack of `bytes`, rounded up to words. A task of the executor may wait for
    /// a pending one, and then runs it on the same stack. So the stack holds what both need.
    ///
    /// # Panics
    ///
    /// If `bytes` is more than 65535 words, the most that `freertos-next` can ask for.
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

    /// Gives the tasks a priority below `configMAX_PRIORITIES`. A higher one is more urgent.
    #[must_use]
    pub const fn priority(self, priority: u8) -> Self {
        Self { priority, ..self }
    }

    /// `prefix-index`, cut to the length that the kernel keeps.
    fn name(&self, index: usize) -> heapless::String<NAME_LENGTH> {
        let mut suffix: heapless::String<NAME_LENGTH> = heapless::String::new();
        // There are fewer workers than bits in a word, so the suffix fits.
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

/// The entry of a worker's task: runs the worker, and ends the task.
extern "C" fn run<H: Park>(worker: *mut c_void) -> *mut c_void {
    // SAFETY: `into_raw` made it for the same host, and only this task has it.
    let worker = unsafe { Worker::<H>::from_raw(worker.cast()) };
    worker.run();
    kernel::delete_current_task()
}

impl FreeRtosTasks<'_> {
    /// Starts a worker of a host whose threads are those of FreeRTOS.
    fn start<H: Clock>(&self, worker: Worker<'static, H>) -> Result<(), Refused> {
        let hertz = H::TICKS_PER_SECOND;
        if kernel::tick_period() != 1000 / hertz {
            return Err(Refused::TickRate {
                hertz,
                period: kernel::tick_period(),
            });
        }
        let name = self.name(worker.index());
        let worker = worker.into_raw();
        for _ in 0..PATIENCE {
            // A task of a higher priority runs before this returns, and may even end.
            if kernel::create_task(
                run::<H>,
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
        // SAFETY: it was made above, and no task has it.
        drop(unsafe { Worker::<H>::from_raw(worker) });
        Err(Refused::Heap {
            stack_size: usize::from(self.stack_words) * size_of::<usize>(),
        })
    }
}

impl<const NOTIFICATION: u32, const HERTZ: u64> Spawn<FreeRtosHost<NOTIFICATION, HERTZ>>
    for FreeRtosTasks<'_>
{
    type Error = Refused;

    fn spawn(
        &self,
        worker: Worker<'static, FreeRtosHost<NOTIFICATION, HERTZ>>,
    ) -> Result<(), Refused> {
        self.start(worker)
    }
}

/// Of a host with priority levels. A `Spawn` of the application ties the worker to a level, and
/// gives it the priority that fits.
impl<const NOTIFICATION: u32, const HERTZ: u64, O: Order>
    Spawn<Ordered<FreeRtosHost<NOTIFICATION, HERTZ>, O>> for FreeRtosTasks<'_>
{
    type Error = Refused;

    fn spawn(
        &self,
        worker: Worker<'static, Ordered<FreeRtosHost<NOTIFICATION, HERTZ>, O>>,
    ) -> Result<(), Refused> {
        self.start(worker)
    }
}

/// The reason why a worker has no task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// The kernel's heap (`configTOTAL_HEAP_SIZE`) has no room for the task.
    Heap {
        /// The requested stack, in bytes.
        stack_size: usize,
    },
    /// `configTICK_RATE_HZ` differs from the `HERTZ` of [`FreeRtosHost`], so each timeout would be
    /// wrong.
    TickRate {
        /// The `HERTZ` of the host.
        hertz: u64,
        /// The kernel's milliseconds per tick.
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
                    "the host was made for {hertz} ticks per second, \
                     but a tick of FreeRTOS takes {period} ms"
                )
            }
        }
    }
}

impl Error for Refused {}
