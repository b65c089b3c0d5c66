//! An executor's memory: everything inline, all of it zero at the start.
#![forbid(unsafe_code)]

use core::mem::MaybeUninit;

use crate::host::Park;
use crate::queue::Index;
use crate::registry::{Registry, Shared, WorkerCell};
use crate::slot::Slot;
use crate::sync::{Lock, array, const_fn};
use crate::waiter::{WaitCell, Waits};

/// What an [`Executor`](crate::Executor) is made of.
#[repr(C)]
pub(crate) struct Core<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize, H: Park> {
    pub(crate) shared: Shared<H>,
    pub(crate) workers: [WorkerCell<H>; WORKERS],
    pub(crate) waits: Lock<Waits<H, [WaitCell<H>; QUEUE]>>,
    pub(crate) slots: [Slot<[MaybeUninit<u8>; SLOT_BYTES]>; QUEUE],
}

impl<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize, H: Park> Core<WORKERS, QUEUE, SLOT_BYTES, H> {
    const_fn! {
        pub(crate) const fn new() -> Self {
            const {
                assert!(QUEUE > 0, "slotted: an executor without slots can hold no task: raise QUEUE");
                assert!(QUEUE <= 65_534, "slotted: slots are numbered with 16 bits: lower QUEUE to 65534");
                assert!(
                    WORKERS <= usize::BITS as usize,
                    "slotted: idle workers are one machine word: lower WORKERS to its width"
                );
            }
            Self {
                shared: Shared::new(),
                workers: array!(WORKERS, WorkerCell::new()),
                waits: Lock::new(Waits::new()),
                slots: array!(QUEUE, Slot::new()),
            }
        }
    }
}

impl<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize, H: Park> Registry<H>
    for Core<WORKERS, QUEUE, SLOT_BYTES, H>
{
    #[inline]
    fn shared(&self) -> &Shared<H> {
        &self.shared
    }

    #[inline]
    fn capacity(&self) -> u16 {
        QUEUE as u16 // checked in `new`
    }

    #[inline]
    fn slot(&self, index: Index) -> &Slot {
        &self.slots[usize::from(index)]
    }

    #[inline]
    fn waits(&self) -> &Lock<Waits<H>> {
        &self.waits
    }

    #[inline]
    fn workers(&self) -> &[WorkerCell<H>] {
        &self.workers
    }
}
