//! A clock of 64 bits and an alarm, by a timer of 32 bits and without a tick.
//!
//! Invariants:
//!
//! - **Half a Round.** The interrupt is always requested for the earliest date or for half a round
//!   of the counter, whichever comes first. So the clock looks at the counter at least once in each
//!   round, and misses no wrap.
//! - **Armed.** The request in the timer is that of the dates, whenever no critical section is
//!   open. A date that has passed is requested at once.

use core::cell::Cell;
use core::fmt::{self, Debug, Formatter};

use critical_section::{CriticalSection, Mutex};

/// A timer of the chip: a counter that never stops, and one request for an interrupt.
pub trait Timer: Copy + Debug + 'static {
    /// Counts in a second.
    const HERTZ: u64;

    /// The count. It goes up, and from `u32::MAX` to 0.
    fn count() -> u32;

    /// Requests the interrupt for the moment at which the counter reaches `count`, half a round
    /// ahead at most. If the counter has passed it meanwhile, the interrupt comes at once. Replaces
    /// the earlier request. Called inside a critical section, on any core.
    fn request_at(count: u32);

    /// Takes back the interrupt whose handler runs.
    fn acknowledge();
}

/// The most that a request lies ahead.
const HALF_A_ROUND: u64 = (u32::MAX / 2) as u64;
/// The date that never comes.
const NEVER: u64 = u64::MAX;

/// The clock, for a `static`. `CORES` is the number of cores that wait for deadlines.
pub struct TicklessClock<const CORES: usize> {
    /// The time of the last look at the counter.
    time: Mutex<Cell<u64>>,
    /// The date that [`Clock::set_alarm`](slotted::Clock::set_alarm) has set.
    alarm: Mutex<Cell<u64>>,
    /// For each core the deadline of what waits there.
    deadlines: [Mutex<Cell<u64>>; CORES],
}

impl<const CORES: usize> TicklessClock<CORES> {
    /// A clock that starts at 0, without a date.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            time: Mutex::new(Cell::new(0)),
            alarm: Mutex::new(Cell::new(NEVER)),
            deadlines: [const { Mutex::new(Cell::new(NEVER)) }; CORES],
        }
    }

    /// Starts the clock with the count of a timer that runs. The time is that count.
    pub fn start<T: Timer>(&self) {
        critical_section::with(|section| {
            self.time.borrow(section).set(T::count().into());
            self.arm::<T>(section);
        });
    }

    /// The time.
    pub fn now<T: Timer>(&self) -> u64 {
        critical_section::with(|section| self.look::<T>(section))
    }

    /// Sets the alarm.
    pub fn set_alarm<T: Timer>(&self, date: Option<u64>) {
        critical_section::with(|section| {
            self.alarm.borrow(section).set(date.unwrap_or(NEVER));
            self.arm::<T>(section);
        });
    }

    /// Sets the deadline of a core, or takes it away.
    pub fn set_deadline<T: Timer>(&self, core: usize, deadline: Option<u64>) {
        let deadline = deadline.unwrap_or(NEVER);
        critical_section::with(|section| {
            if self.deadlines[core].borrow(section).replace(deadline) != deadline {
                self.arm::<T>(section);
            }
        });
    }

    /// Does the timer's part of its interrupt. The handler calls it, and then
    /// [`Timetable::advance`](slotted::Timetable::advance), which sets the alarm again.
    pub fn on_interrupt<T: Timer>(&self) {
        T::acknowledge();
        critical_section::with(|section| {
            let now = self.look::<T>(section);
            // What has passed has had its interrupt.
            for date in self.deadlines.iter().chain([&self.alarm]) {
                let date = date.borrow(section);
                if date.get() <= now {
                    date.set(NEVER);
                }
            }
            self.arm::<T>(section);
        });
    }

    /// Moves the time on by what the counter has counted since the last look.
    fn look<T: Timer>(&self, section: CriticalSection<'_>) -> u64 {
        let time = self.time.borrow(section);
        let counted = T::count().wrapping_sub(time.get() as u32);
        time.set(time.get() + u64::from(counted));
        time.get()
    }

    /// Requests the interrupt for the earliest date, as *Half a Round* says.
    fn arm<T: Timer>(&self, section: CriticalSection<'_>) {
        let now = self.look::<T>(section);
        let dates = self.deadlines.iter().chain([&self.alarm]);
        let earliest = dates.map(|date| date.borrow(section).get()).min();
        let ahead = earliest.unwrap_or(NEVER).clamp(now, now + HALF_A_ROUND);
        T::request_at(ahead as u32); // the counter is the lower half of the time
    }
}

impl<const CORES: usize> Default for TicklessClock<CORES> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const CORES: usize> Debug for TicklessClock<CORES> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicklessClock").finish_non_exhaustive()
    }
}
