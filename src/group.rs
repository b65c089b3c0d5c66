//! Watching many handles at once: what `wait`, `as_completed` and an unordered `map` have in
//! common.
//!
//! A watcher registers every handle with a group of its executor, one group for each executor among
//! them. A task that completes appends itself to its group's list, so yielding it needs no search.
//!
//! Invariant **One Watch**: a handle is in at most one group, because its watcher owns it, or
//! borrows it mutably.
#![forbid(unsafe_code)]

use core::cell::Cell;
use core::marker::PhantomData;
use core::ops::Range;
use core::task::Waker;

use crate::blocking::{
    Interrupted, RunUnstarted, Timeout, WaitFor, block, is_unstarted, needs_worker, take_of_scope,
};
use crate::completion::listen;
use crate::deadlock::lies_beneath;
use crate::handle::JoinHandle;
use crate::host::Park;
use crate::list::Seat;
use crate::registry::Registry;
use crate::slot::{Running, SlotRef};
use crate::unwind;
use crate::wait_table::{GroupLook, WakeOn};
use crate::waiter::Waiter;

/// Handles at fixed positions.
pub(crate) trait Members<'e, T, H: Park> {
    /// How many positions there are.
    fn places(&self) -> usize;
    /// The handle at a position, if there is one.
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

/// Registers the handle at `place` with the group of its executor. It makes a group if no handle in
/// `watched` is of that executor.
pub(crate) fn watch<'e, T, H: Park, M: Members<'e, T, H> + ?Sized>(
    members: &M,
    place: usize,
    watched: Range<usize>,
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
        .find_map(|(_, other)| registry.waits().with(|waits| waits.group_of(other.index())));
    // It stays ours between the sections: we hold its members, or it is new and has none.
    let group = group.unwrap_or_else(|| registry.waits().with(|waits| waits.new_group(index)));
    let done = registry.waits().with(|waits| {
        let done = !listen(waits, slot);
        waits.join_group(&registry, (slot.link(), index), group, place, done);
        done
    });
    // A section of its own keeps the other one short.
    if done && slot.snapshot().is_failure() {
        registry.waits().with(|waits| waits.note_failure(group));
    }
}

/// Takes the handle at `place` out of its group. Does nothing if it is in none.
pub(crate) fn unwatch<'e, T, H: Park, M: Members<'e, T, H> + ?Sized>(members: &M, place: usize) {
    let Some((registry, slot)) = key(members, place) else {
        return;
    };
    let waiter = registry
        .waits()
        .with(|waits| waits.leave_group(&registry, slot.link(), slot.index()));
    unwind::discard(waiter);
}

/// One handle for each run of neighbours of the same executor: with one executor, one handle.
fn representatives<'m, 'e: 'm, T: 'm, H: Park, M: Members<'e, T, H> + ?Sized>(
    members: &'m M,
    from: usize,
    mixed: bool,
) -> impl Iterator<Item = Key<'e, H>> + 'm {
    let mut last: Option<Registry<'e, H>> = None;
    let keys = (from..members.places())
        .filter_map(|place| key(members, place))
        .filter(move |&(registry, _)| {
            let new = last.is_none_or(|last| !last.is(registry));
            last = Some(registry);
            new
        });
    // Bound: the number of handles; with one executor the first handle that is still there ends the
    // search.
    keys.take(if mixed { usize::MAX } else { 1 })
}

/// Returns true if the handles belong to more than one executor.
pub(crate) fn is_mixed<'e, T, H: Park, M: Members<'e, T, H> + ?Sized>(members: &M) -> bool {
    representatives(members, 0, true).nth(1).is_some()
}

/// Takes the position of a done member, in the order of completion within its executor.
pub(crate) fn pop_completed<'e, T, H: Park, M: Members<'e, T, H> + ?Sized>(
    members: &M,
    from: usize,
    mixed: bool,
) -> Option<usize> {
    representatives(members, from, mixed).find_map(|(registry, slot)| {
        let (place, waiter) = registry
            .waits()
            .with(|waits| waits.pop_completed(&registry, slot.index()))?;
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
    timeout: &impl Timeout,
    run_unstarted: RunUnstarted,
) -> Result<(), Interrupted> {
    let mut executors = representatives(members, from, mixed).map(|(registry, _)| registry);
    let Some(first) = executors.next() else {
        return Ok(());
    };
    let home = if first.current_seat().is_some() {
        first
    } else {
        executors
            .find(|registry| registry.current_seat().is_some())
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
    block(home, &watched, timeout, run_unstarted)
}

impl<'e, T, H: Park, M: Members<'e, T, H> + ?Sized> Watched<'_, 'e, T, H, M> {
    /// Returns true if one group alone ends the wait.
    fn is_announced(&self, look: GroupLook) -> bool {
        match self.wake_on {
            WakeOn::Any => look.has_completed,
            WakeOn::Failure => look.has_failed,
            WakeOn::All => false,
        }
    }

    /// The executors among the handles, each with one of its slots.
    fn executors(&self) -> impl Iterator<Item = Key<'e, H>> + '_ {
        representatives(self.members, self.from, self.mixed)
    }

    fn any_unstarted(&self) -> bool {
        self.executors().any(|(registry, _)| is_unstarted(registry))
    }

    /// The handles that are not done. Bound: the number of handles.
    fn pending(&self) -> impl Iterator<Item = Key<'e, H>> + '_ {
        (self.from..self.members.places())
            .filter_map(|place| key(self.members, place))
            .filter(|(_, slot)| !slot.snapshot().is_takeable())
    }

    /// Returns true if the wait cannot end because pending handles are hopeless. A wait for all
    /// needs one hopeless handle for that, any other wait needs every one.
    fn cannot_end(&self, hopeless: impl Fn(Key<'e, H>) -> bool) -> bool {
        let mut found = false;
        for member in self.pending() {
            match (hopeless(member), self.wake_on == WakeOn::All) {
                (true, true) => return true,
                (true, false) => found = true,
                (false, true) => {}
                (false, false) => return false,
            }
        }
        found
    }

    /// Replaces the waiter of each group. The group is the watcher's own, and so was the earlier
    /// waiter.
    fn put_waiters(&self, wake_on: WakeOn, mut waiter: impl FnMut() -> Waiter<H>) {
        for (registry, slot) in self.executors() {
            let waiter = waiter();
            let displaced = registry
                .waits()
                .with(|waits| waits.put_group_waiter(slot.index(), wake_on, waiter));
            unwind::discard(displaced);
        }
    }
}

impl<'e, T, H: Park, M: Members<'e, T, H> + ?Sized> WaitFor<H> for Watched<'_, 'e, T, H, M> {
    fn is_over(&self) -> bool {
        let mut pending = false;
        for (registry, slot) in self.executors() {
            let look = registry
                .waits()
                .with(|waits| waits.look_at_group(slot.index()));
            let Some(look) = look else { continue };
            if self.is_announced(look) {
                return true;
            }
            pending |= look.has_pending;
        }
        !pending
    }

    /// Bound: the number of handles. The search goes on where it ended, so all searches together
    /// are as long as one.
    fn take_unstarted(&self, runner: Option<Seat>) -> Option<Running<'_>> {
        let found = (self.next.get()..self.members.places()).find_map(|place| {
            let (registry, slot) = key(self.members, place)?;
            let running = if registry.is(self.home) {
                self.home.take_queued(slot.index(), runner)
            } else {
                None
            };
            Some((place, running?))
        });
        // Nothing found: a waker may queue a suspended future before the next look.
        let next = found.as_ref().map_or(self.from, |&(place, _)| place + 1);
        self.next.set(next);
        found.map(|(_, running)| running)
    }

    fn register(&self, waiter: Waiter<H>) -> Result<Waiter<H>, Waiter<H>> {
        drop(waiter);
        // Where no worker is, what is left after any task may be hopeless.
        let wake_on = if self.any_unstarted() {
            WakeOn::Any
        } else {
            self.wake_on
        };
        self.put_waiters(wake_on, Waiter::current);
        Ok(Waiter::None)
    }

    fn deregister(&self, _waiter: &Waiter<H>) -> Waiter<H> {
        self.put_waiters(self.wake_on, || Waiter::None);
        Waiter::None
    }

    fn any_executor(
        &self,
        _home: Registry<'_, H>,
        act: &mut dyn FnMut(Registry<'_, H>) -> bool,
    ) -> bool {
        self.executors().any(|(registry, _)| act(registry))
    }

    fn lies_beneath(&self, thread: usize) -> bool {
        self.cannot_end(|(registry, slot)| lies_beneath(registry, slot, thread))
    }

    /// Bound: the handles times the slots.
    fn raise(&self, _registry: Registry<'_, H>) {
        for (registry, slot) in self.pending() {
            registry.raise_awaited(slot.index());
        }
    }

    /// Looks at the handles only if an executor is not started.
    fn needs_start(&self) -> bool {
        self.any_unstarted() && self.cannot_end(|(registry, slot)| needs_worker(registry, slot))
    }

    fn take_abandoned(&self) -> Option<Running<'_>> {
        self.pending().find_map(|(registry, slot)| {
            (registry.is(self.home) && needs_worker(registry, slot))
                .then(|| take_of_scope(self.home, slot))
                .flatten()
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
    for (registry, slot) in representatives(members, from, mixed) {
        // Foreign code outside the lock: the clone before it, the drop of what was there after it.
        let waiter = Waiter::Waker(waker.clone());
        let displaced = registry
            .waits()
            .with(|waits| waits.put_group_waiter(slot.index(), WakeOn::Any, waiter));
        unwind::discard(displaced);
    }
}
