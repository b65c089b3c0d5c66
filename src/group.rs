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
    Interrupted, RunUnstarted, Timeout, WaitFor, block, block_after_look, is_unstarted,
    needs_worker, raise, take_of_scope,
};
use crate::completion::listen;
use crate::deadlock::lies_beneath;
use crate::handle::JoinHandle;
use crate::host::Park;
use crate::list::Seat;
use crate::registry::{Registry, Waits};
use crate::slot::{Running, SlotRef};
use crate::sync::SMALL;
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
    let join = |waits: &Waits<H>, group| {
        let done = !listen(waits, slot);
        waits.join_group(&registry, (slot.link(), index), group, place, done);
        done
    };
    // The group of the nearest other member of the same executor: mostly the one before.
    // Bound: the number of handles.
    let mut others = watched
        .rev()
        .filter(|&other| other != place)
        .filter_map(|other| key(members, other))
        .filter(|(theirs, _)| theirs.is(registry))
        .map(|(_, other)| other.index());
    let joined = if SMALL {
        None
    } else {
        others.find_map(|other| {
            registry.waits().with(|waits| {
                let group = waits.group_of(other)?;
                Some((group, join(waits, group)))
            })
        })
    };
    let (group, done) = joined.unwrap_or_else(|| {
        // Two sections, each short. The group stays ours between them: we hold its members, or it
        // is new and has none.
        let group = others.find_map(|other| registry.waits().with(|waits| waits.group_of(other)));
        let group = group.unwrap_or_else(|| registry.waits().with(|waits| waits.new_group(index)));
        (group, registry.waits().with(|waits| join(waits, group)))
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

/// Calls `act` with one handle for each run of neighbours of the same executor, until a call
/// returns something. With one executor that is one handle. It is never the handle at `taken`.
///
/// Bound: the number of handles; with one executor the first handle that is still there ends the
/// search.
#[inline(always)]
fn each_executor<'e, T, H: Park, M: Members<'e, T, H> + ?Sized, R>(
    members: &M,
    from: usize,
    mixed: bool,
    taken: Option<usize>,
    mut act: impl FnMut(Key<'e, H>) -> Option<R>,
) -> Option<R> {
    let mut last: Option<Registry<'e, H>> = None;
    for place in from..members.places() {
        if taken == Some(place) {
            continue;
        }
        let Some((registry, slot)) = key(members, place) else {
            continue;
        };
        if last.is_some_and(|last| last.is(registry)) {
            continue;
        }
        let result = act((registry, slot));
        if result.is_some() || !mixed {
            return result;
        }
        last = Some(registry);
    }
    None
}

/// Returns true if the handles belong to more than one executor.
pub(crate) fn is_mixed<'e, T, H: Park, M: Members<'e, T, H> + ?Sized>(members: &M) -> bool {
    let mut executors = 0;
    each_executor(members, 0, true, None, |_| {
        executors += 1;
        (executors == 2).then_some(())
    })
    .is_some()
}

/// Takes the position of a done member, in the order of completion within its executor. `Err`:
/// there is none; true if a member is in its group, and will be done.
pub(crate) fn pop_completed<'e, T, H: Park, M: Members<'e, T, H> + ?Sized>(
    members: &M,
    from: usize,
    mixed: bool,
) -> Result<usize, bool> {
    let mut is_watching = false;
    let place = each_executor(members, from, mixed, None, |(registry, slot)| {
        let popped = registry
            .waits()
            .with(|waits| waits.pop_completed(&registry, slot.index()));
        let Some((place, waiter)) = popped else {
            // A section of its own keeps the other one short. A member may be done by now: not
            // whether it is pending counts, but whether it is in a group.
            let group = registry.waits().with(|waits| waits.group_of(slot.index()));
            is_watching |= group.is_some();
            return None;
        };
        unwind::discard(waiter);
        Some(place)
    });
    place.ok_or(is_watching)
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
    /// The wait takes the done member that ends it.
    takes: bool,
    /// The position of that member, which is in no group any more.
    taken: Cell<Option<usize>>,
    value: PhantomData<fn() -> T>,
}

/// Waits until a group announces what `wake_on` says, or nothing is left to wait for.
pub(crate) fn block_on_group<'e, T, H: Park, M: Members<'e, T, H> + ?Sized>(
    members: &M,
    mixed: bool,
    wake_on: WakeOn,
    timeout: &impl Timeout,
) -> Result<(), Interrupted> {
    match Watched::new(members, 0, mixed, wake_on) {
        Some(watched) => block(watched.home, &watched, timeout, RunUnstarted::Workers),
        None => Ok(()),
    }
}

/// Waits until a member is done, and takes its position, in the order of completion within its
/// executor. `None`: nothing is left to wait for.
pub(crate) fn next_completed<'e, T, H: Park, M: Members<'e, T, H> + ?Sized>(
    members: &M,
    from: usize,
    mixed: bool,
    timeout: &impl Timeout,
    run_unstarted: RunUnstarted,
) -> Result<Option<usize>, Interrupted> {
    match pop_completed(members, from, mixed) {
        Ok(place) => return Ok(Some(place)),
        Err(false) => return Ok(None),
        Err(true) => {}
    }
    let Some(mut watched) = Watched::new(members, from, mixed, WakeOn::Any) else {
        return Ok(None);
    };
    watched.takes = true;
    match block_after_look(watched.home, &watched, timeout, run_unstarted) {
        Ok(()) => Ok(watched.taken.get()),
        // One may have become done since the last look.
        Err(interrupted) => pop_completed(members, from, mixed)
            .map(Some)
            .map_err(|_| interrupted),
    }
}

impl<'m, 'e, T, H: Park, M: Members<'e, T, H> + ?Sized> Watched<'m, 'e, T, H, M> {
    /// A wait for the handles from a position on. `None`: there are none.
    fn new(members: &'m M, from: usize, mixed: bool, wake_on: WakeOn) -> Option<Self> {
        let mut first = None;
        let own = each_executor(members, from, mixed, None, |(registry, _)| {
            first.get_or_insert(registry);
            registry.current_seat().is_some().then_some(registry)
        });
        Some(Watched {
            members,
            from,
            mixed,
            wake_on,
            home: own.or(first)?,
            next: Cell::new(from),
            takes: false,
            taken: Cell::new(None),
            value: PhantomData,
        })
    }
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

    /// Takes a done member. Returns true if it took one, or if none is left.
    fn take_completed(&self) -> bool {
        match pop_completed(self.members, self.from, self.mixed) {
            Ok(place) => {
                self.taken.set(Some(place));
                true
            }
            Err(is_watching) => !is_watching,
        }
    }

    /// Calls `act` with each executor among the handles and one of its slots, until a call returns
    /// true. Returns true if one did. The executors are the same in each call, also once a member
    /// was taken.
    #[inline]
    fn any(&self, mut act: impl FnMut(Key<'e, H>) -> bool) -> bool {
        let act = |key| act(key).then_some(());
        each_executor(self.members, self.from, self.mixed, None, act).is_some()
    }

    fn any_unstarted(&self) -> bool {
        self.any(|(registry, _)| is_unstarted(registry))
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
        let put = |(registry, slot): Key<'e, H>| {
            let waiter = waiter();
            let displaced = registry
                .waits()
                .with(|waits| waits.put_group_waiter(slot.index(), wake_on, waiter));
            unwind::discard(displaced);
            None::<()>
        };
        // The member that was taken is in no group.
        let _ = each_executor(self.members, self.from, self.mixed, self.taken.get(), put);
    }
}

impl<'e, T, H: Park, M: Members<'e, T, H> + ?Sized> WaitFor<H> for Watched<'_, 'e, T, H, M> {
    fn is_over(&self) -> bool {
        if self.takes {
            return self.taken.get().is_some() || self.take_completed();
        }
        let mut pending = false;
        let announced = self.any(|(registry, slot)| {
            let look = registry
                .waits()
                .with(|waits| waits.look_at_group(slot.index()));
            let Some(look) = look else { return false };
            pending |= look.has_pending;
            self.is_announced(look)
        });
        announced || !pending
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
        // Where no worker is, what is left after any task may be hopeless. So it may where a task
        // lies beneath. None comes to lie there while the thread sleeps.
        let thread = H::current_id();
        let lies_beneath = |(registry, slot)| lies_beneath(registry, slot, thread);
        let beneath = self.wake_on == WakeOn::Failure && self.pending().any(lies_beneath);
        let wake_on = if beneath || self.any_unstarted() {
            WakeOn::Any
        } else {
            self.wake_on
        };
        self.put_waiters(wake_on, Waiter::current);
        Ok(Waiter::NONE)
    }

    fn deregister(&self, _waiter: &Waiter<H>) -> Waiter<H> {
        self.put_waiters(self.wake_on, || Waiter::NONE);
        Waiter::NONE
    }

    fn any_executor(
        &self,
        _home: Registry<'_, H>,
        act: &mut dyn FnMut(Registry<'_, H>) -> bool,
    ) -> bool {
        self.any(|(registry, _)| act(registry))
    }

    fn lies_beneath(&self, thread: usize) -> bool {
        self.cannot_end(|(registry, slot)| lies_beneath(registry, slot, thread))
    }

    /// Bound: the handles times the slots.
    fn raise(&self, _registry: Registry<'_, H>) {
        for (registry, slot) in self.pending() {
            raise(registry, slot.index());
        }
    }

    /// Looks at the handles only if an executor is not started. What lies beneath cannot end the
    /// wait either.
    fn needs_start(&self) -> bool {
        self.any_unstarted() && {
            let thread = H::current_id();
            self.cannot_end(|(registry, slot)| {
                needs_worker(registry, slot) || lies_beneath(registry, slot, thread)
            })
        }
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
    let _ = each_executor(members, from, mixed, None, |(registry, slot)| {
        // Foreign code outside the lock: the clone before it, the drop of what was there after it.
        let waiter = Waiter::Waker(waker.clone());
        let displaced = registry
            .waits()
            .with(|waits| waits.put_group_waiter(slot.index(), WakeOn::Any, waiter));
        unwind::discard(displaced);
        None::<()>
    });
}
