//! An executor's memory: everything inline, all of it zero at the start; and how code finds things
//! in it once the capacities are erased.
//!
//! A [`Registry`] is a pointer to the memory and one to its [`Layout`], which the compiler makes
//! for each type of executor. It is a trait object in effect, but a look at a slot is an address
//! calculation, not a call. A [`Submitter`] is a registry whose slots are known to have
//! `SLOT_BYTES` bytes.
//!
//! Invariants:
//!
//! - **Whole Core.** A registry's pointer is that of a [`Core`] that is there, shared, for `'e`,
//!   and may be used for all of it.
//! - **True Map.** A registry's [`Layout`] is that of the core it points to.
//! - **Home.** A slot's `home`, once set, is the [`Layout`] of the core that holds the slot.
//! - **Noted.** The slot of a [`Place`] is of a core with the host `H`, and its `home` is set.
//!
//! `unsafe` here: the pointers.

use core::marker::PhantomData;
use core::mem::{offset_of, size_of};
use core::ptr::NonNull;

use super::shared::NotifyListeners;
use super::{Shared, WorkerCell};
use crate::host::{DefaultHost, LevelOf, Park};
use crate::list::{Index, Link, Links};
use crate::order::{Level, Parts};
use crate::slot::{Claim, ErasedClaim, Slot, SlotRef, SlotStorage};
use crate::sync::{Lock, array, const_fn};
use crate::wait_table::{WaitCell, WaitTable};

/// The wait table of an executor.
pub(crate) type Waits<H, C = [WaitCell<H>]> = WaitTable<H, NotifyListeners<H>, C>;

/// What an [`Executor`](crate::Executor) is made of.
#[repr(C)]
pub(crate) struct Core<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize, H: Park> {
    pub(crate) shared: Shared<H>,
    workers: [WorkerCell<H>; WORKERS],
    slots: [SlotStorage<SLOT_BYTES>; QUEUE],
    waits: Lock<Waits<H, [WaitCell<H>; QUEUE]>>,
}

/// Where things are in a core. Distances in bytes from its start, where `shared` is.
struct Layout {
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
    const LAYOUT: Layout = Layout {
        slots_at: offset_of!(Self, slots),
        slot_size: size_of::<SlotStorage<SLOT_BYTES>>(),
        slot_bytes: SLOT_BYTES,
        workers_at: offset_of!(Self, workers),
        waits_at: offset_of!(Self, waits),
        slots: QUEUE as u16,
        workers: WORKERS as u16,
    };

    const_fn! {
        pub(crate) const fn new() -> Self {
            const {
                assert!(
                    QUEUE > 0,
                    "slotted: an executor without slots can hold no task: raise QUEUE"
                );
                assert!(
                    QUEUE <= 65_534,
                    "slotted: slots are numbered with 16 bits: lower QUEUE to 65534"
                );
                // Says what is wrong with the order, if something is.
                assert!(<H::Order as Parts>::LEVELS > 0);
                assert!(
                    WORKERS < usize::BITS as usize,
                    "slotted: idle workers are bits of one machine word, and one is the driver's: \
                     lower WORKERS below its width"
                );
            }
            Self {
                shared: Shared::new(),
                workers: array!(WORKERS, WorkerCell::new()),
                slots: array!(QUEUE, SlotStorage::new()),
                waits: Lock::new(WaitTable::new()),
            }
        }
    }
}

/// An executor with its capacities erased, as handles and workers see it.
pub(crate) struct Registry<'e, H: Park> {
    core: NonNull<()>,
    layout: &'static Layout,
    /// `H` as in a trait object: neither shrunk nor stretched.
    host: PhantomData<fn(H) -> H>,
    life: PhantomData<&'e ()>,
}

// SAFETY: it is a `&Core`, and `of` checks that a core is `Sync`.
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
    pub(crate) const fn of<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize>(
        core: &'e Core<WORKERS, QUEUE, SLOT_BYTES, H>,
    ) -> Self {
        const fn shared<T: Sync>(core: &T) -> NonNull<()> {
            // SAFETY: a reference is not null.
            unsafe { NonNull::new_unchecked(core::ptr::from_ref(core).cast_mut().cast()) }
        }
        Self {
            core: shared(core),
            layout: const { &Core::<WORKERS, QUEUE, SLOT_BYTES, H>::LAYOUT },
            host: PhantomData,
            life: PhantomData,
        }
    }

    #[inline(always)]
    pub(crate) fn shared(self) -> &'e Shared<H> {
        // SAFETY: *Whole Core*; `shared` comes first.
        unsafe { self.core.cast::<Shared<H>>().as_ref() }
    }

    /// The executor's address, to tell it from others.
    pub(crate) fn address(self) -> usize {
        self.core.addr().get()
    }

    /// How many slots there are.
    #[inline(always)]
    pub(crate) fn capacity(self) -> u16 {
        self.layout.slots
    }

    #[inline]
    pub(crate) fn slot(self, index: Index) -> SlotRef<'e> {
        if index >= self.layout.slots {
            no_such_slot()
        }
        let distance = self.layout.slots_at + usize::from(index) * self.layout.slot_size;
        // SAFETY: *True Map*: a slot of this core begins there.
        let slot = unsafe { self.core.byte_add(distance) };
        // SAFETY: *Whole Core*.
        unsafe { SlotRef::new(slot.cast::<Slot>()) }
    }

    pub(crate) fn workers(self) -> &'e [WorkerCell<H>] {
        // SAFETY: *True Map*: the first worker's cell is there, or would be.
        let first = unsafe { self.core.byte_add(self.layout.workers_at) };
        let count = usize::from(self.layout.workers);
        // SAFETY: *Whole Core*; *True Map*: so many follow each other.
        unsafe { core::slice::from_raw_parts(first.cast().as_ptr(), count) }
    }

    #[inline(always)]
    pub(crate) fn has_workers(self) -> bool {
        self.layout.workers != 0
    }

    pub(crate) fn waits(self) -> &'e Lock<Waits<H>> {
        // SAFETY: *True Map*: the lock is there.
        let waits = unsafe { self.core.byte_add(self.layout.waits_at) };
        let count = usize::from(self.layout.slots);
        let waits = core::ptr::slice_from_raw_parts(waits.as_ptr().cast_const(), count);
        // SAFETY: *Whole Core*; *True Map*: it ends in so many cells; this is the pointer that
        // unsizing a reference to it would give.
        unsafe { &*(waits as *const Lock<Waits<H>>) }
    }

    /// Makes a slot that was taken out of the free list the caller's.
    pub(crate) fn erased_claim(self, index: Index) -> Option<ErasedClaim<'e>> {
        // SAFETY: *True Map*: all slots have so many bytes.
        unsafe { ErasedClaim::new(self.slot(index), index, self.layout.slot_bytes) }
    }

    /// Returns true if both are the same executor.
    #[inline(always)]
    pub(crate) fn is(self, other: Registry<'_, H>) -> bool {
        self.core == other.core
    }

    /// Lets [`of_slot`](Self::of_slot) find the executor from one of its slots.
    pub(crate) fn note_home(self, slot: SlotRef<'e>) {
        slot.set_home(core::ptr::from_ref(self.layout).cast_mut().cast());
    }

    /// The executor that holds a slot.
    ///
    /// # Safety
    ///
    /// - The slot is of a core with the host `H`, which is there, shared, for `'e`.
    /// - [`note_home`](Self::note_home) was called for the slot before.
    pub(crate) unsafe fn of_slot(slot: SlotRef<'e>) -> Self {
        // SAFETY: *Home*: a `&'static Layout`, set before by the second condition.
        let layout: &'static Layout = unsafe { &*slot.home().cast_const().cast() };
        let distance = layout.slots_at + usize::from(slot.index()) * layout.slot_size;
        let core = slot.as_ptr().wrapping_byte_sub(distance).cast_mut();
        // SAFETY: *Whole*: the slot's pointer was made from one to the whole core, which is not
        // null.
        let core = unsafe { NonNull::new_unchecked(core) };
        Registry {
            core,
            layout,
            host: PhantomData,
            life: PhantomData,
        }
    }
}

/// A slot of a `'static` executor, in one pointer that also leads to the executor (*Noted*).
pub(crate) struct Place<H: Park> {
    slot: SlotRef<'static>,
    /// `H` as in a [`Registry`].
    host: PhantomData<fn(H) -> H>,
}

impl<H: Park> Clone for Place<H> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<H: Park> Copy for Place<H> {}

impl<H: Park> PartialEq for Place<H> {
    fn eq(&self, other: &Self) -> bool {
        self.slot.as_ptr() == other.slot.as_ptr()
    }
}

impl<H: Park> Registry<'static, H> {
    /// A slot as a [`Place`]. A submitter has claimed it before.
    pub(crate) fn place(self, index: Index) -> Place<H> {
        let slot = self.slot(index);
        self.note_home(slot);
        Place {
            slot,
            host: PhantomData,
        }
    }
}

impl<H: Park> Place<H> {
    /// The slot, and the executor that holds it.
    pub(crate) fn find(self) -> (Registry<'static, H>, SlotRef<'static>) {
        // SAFETY: *Noted*; the executor is there for ever.
        let registry = unsafe { Registry::of_slot(self.slot) };
        (registry, self.slot)
    }
}

impl<H: Park> Links for Registry<'_, H> {
    #[inline(always)]
    fn link(&self, index: Index) -> &Link {
        self.slot(index).get().link()
    }
}

/// Takes tasks for an executor, without the numbers of workers and slots in its type: what a
/// library takes as an argument.
///
/// `Copy`. It borrows the executor, which makes it: [`Executor::submitter`]. What each call means
/// is said at [`Executor`], call by call.
///
/// [`Executor`]: crate::Executor
/// [`Executor::submitter`]: crate::Executor::submitter
///
/// ```
/// use slotted::{Executor, Refusal, Submitter, TaskError};
///
/// fn sum_in_background(pool: Submitter<'_>, numbers: [u32; 4]) -> Result<u32, TaskError> {
///     match pool.submit(move || numbers.iter().sum()) {
///         Ok(handle) => handle.result(),
///         Err(refused) => Ok(refused.into_inner()()), // full: the caller does it
///     }
/// }
///
/// let small: Executor<0, 1> = Executor::new();
/// let large: Executor<0, 100> = Executor::new();
/// assert_eq!(sum_in_background(small.submitter(), [1, 2, 3, 4]), Ok(10));
/// assert_eq!(sum_in_background(large.submitter(), [1, 2, 3, 4]), Ok(10));
/// ```
pub struct Submitter<'e, const SLOT_BYTES: usize = 64, H: Park = DefaultHost> {
    registry: Registry<'e, H>,
    /// The level of its tasks.
    level: LevelOf<H>,
}

impl<const SLOT_BYTES: usize, H: Park> Clone for Submitter<'_, SLOT_BYTES, H> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<const SLOT_BYTES: usize, H: Park> Copy for Submitter<'_, SLOT_BYTES, H> {}

impl<'e, const SLOT_BYTES: usize, H: Park> Submitter<'e, SLOT_BYTES, H> {
    #[inline(always)]
    pub(crate) const fn of<const WORKERS: usize, const QUEUE: usize>(
        core: &'e Core<WORKERS, QUEUE, SLOT_BYTES, H>,
    ) -> Self {
        Self {
            registry: Registry::of(core),
            level: LevelOf::<H>::BASE,
        }
    }

    /// A submitter of tasks of another level.
    #[inline(always)]
    pub(crate) const fn with_level(self, level: LevelOf<H>) -> Self {
        Self { level, ..self }
    }

    #[inline(always)]
    pub(crate) fn registry(self) -> Registry<'e, H> {
        self.registry
    }

    /// Makes a slot that was taken out of the free list the caller's, for a task of its level.
    #[inline]
    pub(crate) fn adopt(self, index: Index) -> Claim<'e, SLOT_BYTES> {
        let slot = self.registry.slot(index);
        // SAFETY: the core that `of` was given has slots of this size. No list holds one in use.
        let claim = unsafe { Claim::new(slot, index, no_such_slot) };
        self.level.note(slot.link());
        claim
    }
}
