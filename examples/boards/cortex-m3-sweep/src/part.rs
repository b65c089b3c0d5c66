//! A part of the sweep: operations of the thread and actions of the interrupt, each with each.

use core::fmt::Write;
use core::sync::atomic::{AtomicUsize, Ordering};

use cortex_m_semihosting::hio::HostStream;
use slotted::{JoinHandle, Park};

use crate::ledger::{self, Events, FILLED, Role, Value, account, get};
use crate::shot::Hit;
use crate::trace::{Places, Trace};

/// One part.
///
/// The interrupt's action happens at one instant of the operation. So what comes of both is what
/// comes of the two one after the other, in one order or the other, or of the action between two
/// steps of the operation. The output of the board says how many different ends there are, so one
/// more or one less is a difference from what is expected.
pub(crate) trait Part {
    type Operation: 'static;
    type Action: 'static;

    const OPERATIONS: &'static [(&'static str, Self::Operation)];
    const ACTIONS: &'static [(&'static str, Self::Action)];

    /// Opens what the runs share, and checks that it is empty.
    fn open();

    /// Does one run, with the action before an instruction of the operation. Checks everything, and
    /// returns what happened.
    fn run(operation: &Self::Operation, action: &Self::Action, instruction: u32) -> (Hit, Events);

    /// Closes what `open` opened.
    fn close();
}

/// What all parts together did.
pub(crate) struct Totals {
    pub(crate) pairs: u32,
    pub(crate) interleavings: u32,
}

/// Sweeps one part. Before each run it tells `now` the names of the operation and of the action,
/// and the instruction.
pub(crate) fn sweep<P: Part>(
    out: &mut HostStream,
    places: &mut Places,
    totals: &mut Totals,
    now: impl Fn(&'static str, &'static str, u32),
) {
    now("open", "nothing", 0);
    P::open();
    for (operation_name, operation) in P::OPERATIONS {
        for (action_name, action) in P::ACTIONS {
            let (mut trace, mut ends) = (Trace::new(), Ends::new());
            for instruction in 1.. {
                now(operation_name, action_name, instruction);
                let (hit, events) = P::run(operation, action, instruction);
                ends.add(events);
                if !trace.note(hit, places) {
                    break;
                }
            }
            let ends = ends.count;
            let _ = write!(out, "ok {operation_name} / {action_name}");
            if ends > 1 {
                let _ = write!(out, ": {ends} ends");
            }
            let (interleavings, instructions) = (trace.interleavings, trace.instructions);
            writeln!(
                out,
                "\nmeasured: {interleavings} interleavings, {instructions} instructions"
            )
            .expect("the emulator has a console");
            totals.pairs += 1;
            totals.interleavings += trace.interleavings;
        }
    }
    now("close", "nothing", 0);
    P::close();
}

/// The different ends of the runs of one pair.
struct Ends {
    seen: [Events; Self::MOST],
    count: usize,
}

impl Ends {
    const MOST: usize = 16;

    const fn new() -> Self {
        Self {
            seen: [[0; _]; Self::MOST],
            count: 0,
        }
    }

    fn add(&mut self, events: Events) {
        if self.seen[..self.count].contains(&events) {
            return;
        }
        assert!(self.count < Self::MOST, "there are too many different ends");
        self.seen[self.count] = events;
        self.count += 1;
    }
}

/// Checks that an executor has `SLOTS` free slots, that each of them works, and no more. `submit`
/// submits a [`Role::Filler`], and `run` runs all of them.
///
/// It gives the slots back in the order of their addresses, so that the free list is the same
/// before each run.
pub(crate) fn check_slots<const SLOTS: usize, H: Park>(
    submit: impl Fn() -> Option<JoinHandle<'static, Value, H>>,
    run: impl FnOnce(),
) {
    ledger::reset();
    let handles = [(); SLOTS].map(|()| submit().expect("every slot is free"));
    FILLED.store(true, Ordering::Relaxed);
    assert!(submit().is_none(), "there is one slot too many");
    run();
    let mut handles = handles.map(|handle| (address(&handle), handle));
    handles.sort_unstable_by_key(|(address, _)| core::cmp::Reverse(*address));
    assert!(
        handles.windows(2).all(|pair| pair[0].0 != pair[1].0),
        "two tasks have one slot"
    );
    for (_, mut handle) in handles {
        let outcome = handle.try_result().expect("it has run");
        let own = matches!(&outcome, Ok(value) if value.role == Role::Filler);
        assert!(own, "a slot has {outcome:?}");
    }
    let ran = get(&account(Role::Filler).ran);
    assert!(ran == SLOTS, "not every slot's task has run");
}

/// The address of the value of a task that has run.
fn address<H: Park>(handle: &JoinHandle<'static, Value, H>) -> usize {
    static ADDRESS: AtomicUsize = AtomicUsize::new(0);
    let looked = handle.add_done_callback(|outcome| {
        ADDRESS.store(
            outcome.map_or(0, |value| core::ptr::from_ref(value).addr()),
            Ordering::Relaxed,
        );
    });
    assert!(
        looked.is_ok() && get(&ADDRESS) != 0,
        "a task of a full executor has no value: {handle:?}"
    );
    ADDRESS.swap(0, Ordering::Relaxed)
}
