//! The judgement over one entry of the ledger at the end of a life.

use crate::faults;
use crate::mark::Event::{self, *};
use crate::tally::Tally;

#[derive(Clone, Copy)]
struct Entry(u32);

impl Entry {
    fn has(self, event: Event) -> bool {
        self.0 & event as u32 != 0
    }

    /// The events, for a message.
    fn events(self) -> Vec<Event> {
        const ALL: [Event; 18] = [
            Accepted,
            Refused,
            Started,
            ValueMade,
            Panicked,
            TaskDropped,
            ValueDropped,
            Completed,
            Cancelled,
            IsFuture,
            IsItem,
            IsCallback,
            IsPromise,
            SawValue,
            SawPanic,
            SawCancelled,
            SawBroken,
            IsLoose,
        ];
        ALL.into_iter().filter(|event| self.has(*event)).collect()
    }
}

/// Judges the entry and counts its outcome.
pub(crate) fn judge(name: &str, index: usize, word: u32, tally: &mut Tally) {
    let entry = Entry(word);
    if let Err(fault) = check_common(entry).and_then(|()| count(entry, tally)) {
        faults::report(&format_args!(
            "task {index} of `{name}` {fault}: {:?}",
            entry.events()
        ));
    }
}

/// What holds for a task of any kind.
fn check_common(entry: Entry) -> Result<(), &'static str> {
    let ended_well = entry.has(ValueMade) && !entry.has(Panicked);
    let is_cancelled = entry.has(Cancelled) || entry.has(SawCancelled);
    if !entry.has(TaskDropped) && !entry.has(IsPromise) {
        Err("was never dropped")
    } else if entry.has(ValueMade) != entry.has(ValueDropped) {
        Err("left its value")
    } else if entry.has(SawValue) && !ended_well {
        Err("has a value from nowhere")
    } else if entry.has(SawPanic) && !entry.has(Panicked) {
        Err("has a panic from nowhere")
    } else if is_cancelled && (entry.has(SawValue) || entry.has(SawPanic)) {
        Err("is cancelled and has an outcome")
    } else if is_cancelled && entry.has(Started) && !entry.has(IsFuture) {
        Err("ran although it is cancelled")
    } else if entry.has(SawBroken) && !entry.has(IsPromise) {
        Err("is broken")
    } else {
        Ok(())
    }
}

fn count(entry: Entry, tally: &mut Tally) -> Result<(), &'static str> {
    if entry.has(IsItem) {
        count_item(entry, tally)
    } else if entry.has(Accepted) == entry.has(Refused) {
        Err("was neither accepted nor refused, or both")
    } else if entry.has(IsPromise) {
        count_promise(entry, tally)
    } else if entry.has(Refused) && entry.has(Started) {
        Err("ran although it was refused")
    } else if entry.has(IsCallback) {
        count_callback(entry, tally)
    } else {
        count_task(entry, tally)
    }
}

fn count_task(entry: Entry, tally: &mut Tally) -> Result<(), &'static str> {
    let counter = match (entry.has(Started), entry.has(ValueMade)) {
        _ if entry.has(Refused) => &mut tally.refused,
        (false, false) => &mut tally.cancelled,
        (true, true) if entry.has(Panicked) => &mut tally.panicked,
        (true, true) => &mut tally.ran,
        (true, false) if entry.has(IsFuture) => &mut tally.cancelled,
        (true, false) => return Err("started and did not end"),
        (false, true) => return Err("ended and did not start"),
    };
    *counter += 1;
    Ok(())
}

fn count_item(entry: Entry, tally: &mut Tally) -> Result<(), &'static str> {
    let items = if entry.has(IsLoose) {
        &mut tally.loose_items
    } else {
        &mut tally.items
    };
    let counter = match (entry.has(Started), entry.has(ValueMade)) {
        (false, false) => &mut items.dropped,
        (true, true) if entry.has(Panicked) => &mut items.panicked,
        (true, true) => &mut items.ran,
        (true, false) => return Err("started and did not end"),
        (false, true) => return Err("ended and did not start"),
    };
    *counter += 1;
    Ok(())
}

fn count_callback(entry: Entry, tally: &mut Tally) -> Result<(), &'static str> {
    let counter = if entry.has(Refused) {
        &mut tally.callbacks.refused
    } else if !entry.has(Started) {
        return Err("is a callback that was never called");
    } else if entry.has(Panicked) {
        &mut tally.callbacks.panicked
    } else {
        &mut tally.callbacks.ran
    };
    *counter += 1;
    Ok(())
}

fn count_promise(entry: Entry, tally: &mut Tally) -> Result<(), &'static str> {
    let counter = match (entry.has(Completed), entry.has(Cancelled)) {
        (true, true) => return Err("was completed and cancelled"),
        (true, false) if entry.has(SawBroken) => return Err("was completed and broken"),
        _ if entry.has(Refused) => &mut tally.refused,
        (true, false) => &mut tally.promises.completed,
        (false, true) => &mut tally.promises.cancelled,
        (false, false) => &mut tally.promises.broken,
    };
    *counter += 1;
    Ok(())
}
