//! An executor's memory: everything inline, all of it zero at the start; and how it is found once
//! its capacities are erased.
//!
//! A [`Registry`] is a pointer to the memory and one to a table of where things are in it, which
//! the compiler makes for each kind of executor: as a trait object, but a look at a slot is an
//! address calculation, not a call.
//!
//! Invariants:
//!
//! - **Whole Core.** A registry's pointer is that of a [`Core`] that is there, shared, for `'e`,
//!   and may be used for all of it.
//! - **True Map.** A registry's [`Geometry`] is that of the core it points to.
//!
//! `unsafe` here: the pointers.

use core::marker::PhantomData;
use core::mem::{offset_of, size_of};
use core::ptr::NonNull;

use super::{Shared, WorkerCell};
use crate::host::Park;
use crate::queue::{Index, Link, Links};
use crate::slot::{Claim, Room, Slot, SlotRef, Vacancy};
use crate::sync::{Lock, array, const_fn};
use crate::waiter::{WaitCell, Waits};

/// What an [`Executor`](crate::Executor) is made of.
#[repr(C)]
pub(crate) struct Core<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize, H: Park> {
    pub(crate) shared: Shared<H>,
    workers: [WorkerCell<H>; WORKERS],
    slots: [Room<SLOT_BYTES>; QUEUE],
    waits: Lock<Waits<H, [WaitCell<H>; QUEUE]>>,
}

/// Where things are in a core. Distances in bytes from its start, where `shared` is.
struct Geometry {
    slots_at: usize,
    slot_size: usize,
    slot_bytes: usize,
    workers_at: usize,
    waits_at: usize,
    slots: u16,
    workers: u16,
}

impl<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize, H: Park>
    Core<WORKERS, QUEUE, SLOT_BYTES, H>
{
    const GEOMETRY: Geometry = Geometry {
        slots_at: offset_of!(Self, slots),
        slot_size: size_of::<Room<SLOT_BYTES>>(),
        slot_bytes: SLOT_BYTES,
        workers_at: offset_of!(Self, workers),
        waits_at: offset_of!(Self, waits),
        slots: QUEUE as u16,
        workers: WORKERS as u16,
    };

    const_fn! {
        pub(crate) const fn new() -> Self {
            const {
                assert!(QUEUE > 0, "slotted: an executor without slots can hold no task: raise QUEUE");
                assert!(QUEUE <= 65_534, "slotted: slots are numbered with 16 bits: lower QUEUE to 65534");
                assert!(
                    WORKERS < usize::BITS as usize,
                    "slotted: idle workers are bits of one machine word, and one is not theirs: lower WORKERS below its width"
                );
            }
            Self {
                shared: Shared::new(),
                workers: array!(WORKERS, WorkerCell::new()),
                slots: array!(QUEUE, Room::new()),
                waits: Lock::new(Waits::new()),
            }
        }
    }

    /// The core a slot is in.
    ///
    /// # Safety
    ///
    /// - The slot is of a core of this very type, which is there, shared, for `'e`.
    pub(crate) unsafe fn around<'e>(slot: SlotRef<'e>) -> Registry<'e, H> {
        let distance =
            Self::GEOMETRY.slots_at + usize::from(slot.index()) * Self::GEOMETRY.slot_size;
        let core = slot.as_ptr().wrapping_byte_sub(distance).cast_mut();
        // SAFETY: *Whole*: the slot's pointer was made from one to the whole core
        // (`Registry::slot`), which is not null.
        let core = unsafe { NonNull::new_unchecked(core) };
        Registry {
            core,
            geometry: const { &Self::GEOMETRY },
            host: PhantomData,
            life: PhantomData,
        }
    }
}

/// An executor with its capacities erased: the heart, as handles and workers see it.
pub(crate) struct Registry<'e, H: Park> {
    core: NonNull<()>,
    geometry: &'static Geometry,
    /// `H` as in a trait object: neither shrunk nor stretched.
    host: PhantomData<fn(H) -> H>,
    life: PhantomData<&'e ()>,
}

// SAFETY: it is a `&Core`, and `of` checks that that is `Sync`.
unsafe impl<H: Park> Send for Registry<'_, H> {}
// SAFETY: as above.
unsafe impl<H: Park> Sync for Registry<'_, H> {}

impl<H: Park> Clone for Registry<'_, H> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<H: Park> Copy for Registry<'_, H> {}

#[cold]
fn no_such_slot() -> ! {
    panic!("slotted: no such slot")
}

impl<'e, H: Park> Registry<'e, H> {
    #[inline(always)]
    pub(crate) fn of<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize>(
        core: &'e Core<WORKERS, QUEUE, SLOT_BYTES, H>,
    ) -> Self {
        fn shared<T: Sync>(core: &T) -> NonNull<()> {
            NonNull::from(core).cast()
        }
        Self {
            core: shared(core),
            geometry: const { &Core::<WORKERS, QUEUE, SLOT_BYTES, H>::GEOMETRY },
            host: PhantomData,
            life: PhantomData,
        }
    }

    /// The same executor, as if it lived for ever.
    ///
    /// # Safety
    ///
    /// - The core is there, shared, as long as anything made of the result is used.
    pub(crate) unsafe fn stretch(self) -> Registry<'static, H> {
        Registry {
            core: self.core,
            geometry: self.geometry,
            host: PhantomData,
            life: PhantomData,
        }
    }

    #[inline(always)]
    pub(crate) fn shared(self) -> &'e Shared<H> {
        // SAFETY: *Whole Core*; `shared` comes first.
        unsafe { self.core.cast::<Shared<H>>().as_ref() }
    }

    /// How many slots there are.
    #[inline(always)]
    pub(crate) fn capacity(self) -> u16 {
        self.geometry.slots
    }

    #[inline]
    pub(crate) fn slot(self, index: Index) -> SlotRef<'e> {
        if index >= self.geometry.slots {
            no_such_slot()
        }
        let distance = self.geometry.slots_at + usize::from(index) * self.geometry.slot_size;
        // SAFETY: *True Map*: a slot of this core begins there.
        let slot = unsafe { self.core.byte_add(distance) };
        // SAFETY: *Whole Core*.
        unsafe { SlotRef::new(slot.cast::<Slot>()) }
    }

    pub(crate) fn workers(self) -> &'e [WorkerCell<H>] {
        // SAFETY: *True Map*: the first worker's cell is there, or would be.
        let first = unsafe { self.core.byte_add(self.geometry.workers_at) };
        // SAFETY: *Whole Core*; *True Map*: so many follow each other.
        unsafe {
            core::slice::from_raw_parts(first.cast().as_ptr(), usize::from(self.geometry.workers))
        }
    }

    #[inline(always)]
    pub(crate) fn has_workers(self) -> bool {
        self.geometry.workers != 0
    }

    pub(crate) fn waits(self) -> &'e Lock<Waits<H>> {
        // SAFETY: *True Map*: the lock is there.
        let waits = unsafe { self.core.byte_add(self.geometry.waits_at) };
        let waits = core::ptr::slice_from_raw_parts(
            waits.as_ptr().cast_const(),
            usize::from(self.geometry.slots),
        );
        // SAFETY: *Whole Core*; *True Map*: it ends in so many cells; this is the pointer that
        // unsizing a reference to it would give.
        unsafe { &*(waits as *const Lock<Waits<H>>) }
    }

    /// Makes a slot that was taken out of the free list ours.
    pub(crate) fn vacate(self, index: Index) -> Option<Vacancy<'e>> {
        // SAFETY: *True Map*: all slots have so many bytes.
        unsafe { Vacancy::new(self.slot(index), index, self.geometry.slot_bytes) }
    }

    /// Whether both are the same executor.
    #[inline(always)]
    pub(crate) fn is(self, other: Registry<'_, H>) -> bool {
        self.core == other.core
    }
}

impl<H: Park> Links for Registry<'_, H> {
    #[inline(always)]
    fn link(&self, index: Index) -> &Link {
        self.slot(index).get().link()
    }
}

/// An executor whose slots are known to have `SLOT_BYTES` bytes.
pub(crate) struct Rooms<'e, const SLOT_BYTES: usize, H: Park>(Registry<'e, H>);

impl<const SLOT_BYTES: usize, H: Park> Clone for Rooms<'_, SLOT_BYTES, H> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<const SLOT_BYTES: usize, H: Park> Copy for Rooms<'_, SLOT_BYTES, H> {}

impl<'e, const SLOT_BYTES: usize, H: Park> Rooms<'e, SLOT_BYTES, H> {
    #[inline(always)]
    pub(crate) fn of<const WORKERS: usize, const QUEUE: usize>(
        core: &'e Core<WORKERS, QUEUE, SLOT_BYTES, H>,
    ) -> Self {
        Self(Registry::of(core))
    }

    #[inline(always)]
    pub(crate) fn registry(self) -> Registry<'e, H> {
        self.0
    }

    /// Makes a slot that was taken out of the free list ours.
    #[inline]
    pub(crate) fn claim(self, index: Index) -> Option<Claim<'e, SLOT_BYTES>> {
        // SAFETY: the core that `of` was given has slots of this size.
        unsafe { Claim::new(self.0.slot(index), index) }
    }
}
