//! Watching many handles at once: what `wait`, `as_completed` and an unordered `map` have in
//! common.
//!
//! A watch registers every handle with a group of its executor, one group for each executor among
//! them. A task that completes appends itself to its group's list, so that yielding it needs no
//! search.
//!
//! Invariant **One Watch**: a handle is in at most one group, because whoever watches it owns it,
//! or borrows it mutably.
#![forbid(unsafe_code)]

use core::cell::Cell;
use core::marker::PhantomData;
use core::ops::Range;
use core::task::Waker;

use crate::blocking::{Awaited, Help, Interrupted, Patience, block};
use crate::completion::listen;
use crate::handle::JoinHandle;
use crate::host::Park;
use crate::queue::Index;
use crate::registry::Registry;
use crate::slot::{Running, SlotRef};
use crate::unwind;
use crate::waiter::{Group, Waiter, Waits, WakeOn};

/// Handles with fixed places.
pub(crate) trait Members<'e, T, H: Park> {
    /// How many places there are.
    fn places(&self) -> usize;
    /// The handle at a place, if there is one.
    fn member(&self, place: usize) -> Option<&JoinHandle<'e, T, H>>;
}

impl<'e, T, H: Park> Members<'e, T, H> for [JoinHandle<'e, T, H>] {
    fn places(&self) -> usize {
        self.len()
    }

    fn member(&self, place: usize) -> Option<&JoinHandle<'e, T, H>> {
        self.get(place)
    }
}

impl<'e, T, H: Park> Members<'e, T, H> for [Option<JoinHandle<'e, T, H>>] {
    fn places(&self) -> usize {
        self.len()
    }

    fn member(&self, place: usize) -> Option<&JoinHandle<'e, T, H>> {
        self.get(place)?.as_ref()
    }
}

/// A member's executor and slot. `None` for a handle whose outcome was taken: it belongs to no task
/// any more.
type Key<'e, H> = (Registry<'e, H>, SlotRef<'e>);

fn key<'e, T, H: Park, M: Members<'e, T, H> + ?Sized>(
    members: &M,
    place: usize,
) -> Option<Key<'e, H>> {
    let handle = members.member(place)?;
    Some((handle.registry(), handle.receiver()?.slot()))
}

/// Registers the handle at `place` with the group of its executor, which is made if none of those
/// in `watched` is of that executor.
pub(crate) fn watch<'e, T, H: Park, M: Members<'e, T, H> + ?Sized>(
    members: &M,
    place: usize,
    watched: Range<usize>,
    wake_on: WakeOn,
) {
    let Some((registry, slot)) = key(members, place) else {
        return;
    };
    let index = slot.index();
    // The group of the nearest other member of the same executor: mostly the one before.
    // Bound: the number of handles.
    let group = watched
        .rev()
        .filter(|&other| other != place)
        .filter_map(|other| key(members, other))
        .filter(|(theirs, _)| theirs.is(registry))
        .find_map(|(_, other)| {
            registry
                .waits()
                .with(|waits| waits.cell(other.index()).group())
        });
    // It stays ours between the sections: we hold its members, or it is new and has none.
    let group = group.unwrap_or_else(|| {
        registry
            .waits()
            .with(|waits| waits.new_group(index, wake_on))
    });
    registry.waits().with(|waits| {
        let cell = waits.cell(index);
        cell.set_group(Some(group));
        // Fits: handles pin slots, of which an executor has fewer than 2^16; 2^16 executors would
        // be needed.
        cell.position.set(place as u32);
        let head = &waits.cell(group).head;
        if listen(registry, slot) {
            head.pending.set(head.pending.get() + 1);
        } else {
            head.completed.push(&registry, slot.link(), index);
            if slot.snapshot().is_failure() {
                head.failed.set(true);
            }
        }
    });
}

/// Takes the handle at `place` out of its group. Does nothing if it is in none.
pub(crate) fn unwatch<'e, T, H: Park, M: Members<'e, T, H> + ?Sized>(members: &M, place: usize) {
    let Some((registry, slot)) = key(members, place) else {
        return;
    };
    let index = slot.index();
    let waiter = registry.waits().with(|waits| {
        let cell = waits.cell(index);
        let Some(group) = cell.group() else {
            return Waiter::None;
        };
        cell.set_group(None);
        let head = &waits.cell(group).head;
        if !head.completed.unlink(&registry, index) {
            head.pending.set(head.pending.get() - 1);
        }
        leave(waits, group)
    });
    unwind::discard(waiter);
}

/// Frees a group that has no member left.
fn leave<H: Park>(waits: &Waits<H>, group: Index) -> Waiter<H> {
    let head = &waits.cell(group).head;
    if head.pending.get() == 0 && head.completed.is_empty() {
        waits.drop_group(group)
    } else {
        Waiter::None
    }
}

/// What one look at the group of the handle at `place` says.
fn ask<'e, T, H: Park, M: Members<'e, T, H> + ?Sized, R>(
    members: &M,
    place: usize,
    question: impl FnOnce(&Group<H>) -> R,
) -> Option<R> {
    let (registry, slot) = key(members, place)?;
    registry.waits().with(|waits| {
        let group = waits.cell(slot.index()).group()?;
        Some(question(&waits.cell(group).head))
    })
}

/// One place for each run of neighbours of the same executor: with one executor, one place.
fn representatives<'m, 'e: 'm, T: 'm, H: Park, M: Members<'e, T, H> + ?Sized>(
    members: &'m M,
    from: usize,
    mixed: bool,
) -> impl Iterator<Item = usize> + 'm {
    let mut last: Option<Registry<'e, H>> = None;
    let places = (from..members.places()).filter(move |&place| {
        let Some((registry, _)) = key(members, place) else {
            return false;
        };
        let new = last.is_none_or(|last| !last.is(registry));
        last = Some(registry);
        new
    });
    // Bound: the number of handles; with one executor the first handle that is still there ends the
    // search.
    places.take(if mixed { usize::MAX } else { 1 })
}

/// Whether the handles belong to more than one executor.
pub(crate) fn is_mixed<'e, T, H: Park, M: Members<'e, T, H> + ?Sized>(members: &M) -> bool {
    let mut executors = (0..members.places())
        .filter_map(|place| key(members, place))
        .map(|(registry, _)| registry);
    executors
        .next()
        .is_some_and(|first| executors.any(|other| !first.is(other)))
}

/// Takes the place of a member that is done, in the order in which they became so.
pub(crate) fn pop_completed<'e, T, H: Park, M: Members<'e, T, H> + ?Sized>(
    members: &M,
    from: usize,
    mixed: bool,
) -> Option<usize> {
    representatives(members, from, mixed).find_map(|place| {
        let (registry, slot) = key(members, place)?;
        let (place, waiter) = registry.waits().with(|waits| {
            let group = waits.cell(slot.index()).group()?;
            let index = waits.cell(group).head.completed.pop(&registry, None)?;
            let cell = waits.cell(index);
            cell.set_group(None);
            Some((cell.position.get() as usize, leave(waits, group)))
        })?;
        unwind::discard(waiter);
        Some(place)
    })
}

/// A wait for what the groups of some handles announce.
struct Watched<'m, 'e, T, H: Park, M: ?Sized> {
    members: &'m M,
    /// Where the first handle can be.
    from: usize,
    mixed: bool,
    wake_on: WakeOn,
    /// The executor whose worker the caller is, or the first.
    home: Registry<'e, H>,
    /// Where the search for an unstarted task goes on.
    next: Cell<usize>,
    value: PhantomData<fn() -> T>,
}

/// Waits until a group announces what `wake_on` says, or nothing is left to wait for.
pub(crate) fn block_on_group<'e, T, H: Park, M: Members<'e, T, H> + ?Sized>(
    members: &M,
    from: usize,
    mixed: bool,
    wake_on: WakeOn,
    patience: &impl Patience,
    help: Help,
) -> Result<(), Interrupted> {
    let mut executors = representatives(members, from, mixed)
        .filter_map(|place| key(members, place))
        .map(|(registry, _)| registry);
    let Some(first) = executors.next() else {
        return Ok(());
    };
    let home = if first.current_worker().is_some() {
        first
    } else {
        executors
            .find(|registry| registry.current_worker().is_some())
            .unwrap_or(first)
    };
    let watched = Watched {
        members,
        from,
        mixed,
        wake_on,
        home,
        next: Cell::new(from),
        value: PhantomData,
    };
    block(home, &watched, patience, help)
}

impl<'e, T, H: Park, M: Members<'e, T, H> + ?Sized> Watched<'_, 'e, T, H, M> {
    /// Whether the group alone ends the wait.
    fn is_over(&self, head: &Group<H>) -> bool {
        match self.wake_on {
            WakeOn::Any => !head.completed.is_empty(),
            WakeOn::Failure => head.failed.get(),
            WakeOn::All => false,
        }
    }

    /// The slot of the handle at a place, if it is of the executor whose worker the caller may be.
    fn own(&self, place: usize) -> Option<SlotRef<'e>> {
        let (registry, slot) = key(self.members, place)?;
        registry.is(self.home).then_some(slot)
    }

    /// Replaces the waiter of each group. The group is ours: what stood there was our own.
    fn put_waiters(&self, mut waiter: impl FnMut(Registry<'_, H>) -> Waiter<H>) {
        for place in representatives(self.members, self.from, self.mixed) {
            let Some((registry, slot)) = key(self.members, place) else {
                continue;
            };
            let waiter = waiter(registry);
            let displaced = registry
                .waits()
                .with(|waits| match waits.cell(slot.index()).group() {
                    Some(group) => waits.cell(group).head.waiter.put(waiter),
                    None => waiter,
                });
            unwind::discard(displaced);
        }
    }
}

impl<'e, T, H: Park, M: Members<'e, T, H> + ?Sized> Awaited<H> for Watched<'_, 'e, T, H, M> {
    fn is_ready(&self) -> bool {
        let mut pending = false;
        for place in representatives(self.members, self.from, self.mixed) {
            let answer = ask(self.members, place, |head| {
                (self.is_over(head), head.pending.get() > 0)
            });
            let Some((over, more)) = answer else { continue };
            if over {
                return true;
            }
            pending |= more;
        }
        !pending
    }

    /// Bound: the number of handles; the search goes on where it ended, so that all searches
    /// together are as long as one.
    fn take_unstarted(&self, worker: Option<u16>) -> Option<Running<'_>> {
        let found = (self.next.get()..self.members.places()).find_map(|place| {
            Some((
                place,
                self.home.take_queued(self.own(place)?.index(), worker)?,
            ))
        });
        // Nothing found: a future that rests may be queued by the next look.
        self.next
            .set(found.as_ref().map_or(self.from, |&(place, _)| place + 1));
        found.map(|(_, running)| running)
    }

    fn register(&self, waiter: Waiter<H>) -> Result<Waiter<H>, Waiter<H>> {
        let worker = if let Waiter::Thread { worker, .. } = waiter {
            worker
        } else {
            0
        };
        self.put_waiters(|registry| Waiter::Thread {
            thread: H::current(),
            id: H::current_id(),
            // Another executor does not know our number as a worker of this one.
            worker: if registry.is(self.home) { worker } else { 0 },
        });
        Ok(Waiter::None)
    }

    fn deregister(&self, _waiter: &Waiter<H>) -> Waiter<H> {
        self.put_waiters(|_| Waiter::None);
        Waiter::None
    }

    fn any_executor(
        &self,
        _home: Registry<'_, H>,
        act: &mut dyn FnMut(Registry<'_, H>) -> bool,
    ) -> bool {
        representatives(self.members, self.from, self.mixed)
            .filter_map(|place| key(self.members, place))
            .any(|(registry, _)| act(registry))
    }

    /// Bound: the number of handles.
    fn is_stuck(&self, on: Option<u16>) -> bool {
        (self.from..self.members.places()).all(|place| {
            let done = key(self.members, place).is_none_or(|(_, slot)| slot.snapshot().is_done());
            let runner = self.own(place).and_then(|slot| slot.worker());
            done || runner.is_some_and(|runner| {
                on.is_none_or(|worker| self.home.share_a_thread(worker, runner))
            })
        })
    }
}

/// Has each group wake `waker` when a member completes.
pub(crate) fn wake_by<'e, T, H: Park, M: Members<'e, T, H> + ?Sized>(
    members: &M,
    from: usize,
    mixed: bool,
    waker: &Waker,
) {
    for place in representatives(members, from, mixed) {
        let Some((registry, slot)) = key(members, place) else {
            continue;
        };
        // Foreign code outside the lock: the clone before it, the drop of what was there after it.
        let waiter = Waiter::Waker(waker.clone());
        let displaced = registry.waits().with(|waits| {
            let Some(group) = waits.cell(slot.index()).group() else {
                return waiter;
            };
            waits.cell(group).head.waiter.put(waiter)
        });
        unwind::discard(displaced);
    }
}
