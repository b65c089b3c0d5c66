//! The heap against a sorted list, and a claim that is older than what has its timer now.
#![forbid(unsafe_code)]

use core::task::Waker;
use std::vec::Vec;

use super::budgets::{BudgetHooks, Budgeted};
use super::*;
use crate::host::StdHost;

type Table<const TIMERS: usize> = TimerTable<StdHost, u8, [Timer<u8>; TIMERS]>;

static HOOKS: BudgetHooks<StdHost, u8> = BudgetHooks {
    spend: |_, _| (),
    sweep: |_| false,
};

/// The claim of a timed task whose executor shut down before the timer was armed. Meanwhile the
/// timer is the budget of another task, whose generation is the number of that claim.
#[test]
fn an_old_claim_does_not_arm_the_timer_of_a_budget() {
    let table: &Table<2> = &TimerTable::new();
    let table: &TimerTable<StdHost, u8> = table;
    let claimed = table.claim().unwrap();
    drop(table.release(claimed.index));
    let task = Budgeted {
        place: 7,
        generation: 1,
    };
    assert!(table.set_budget(task, 50, &HOOKS));
    let unused = table.arm(claimed, 10, Waker::noop().clone());
    assert!(unused.is_some(), "the timer is not of this claim any more");
    assert_eq!(table.next_date(), Some(50));
    assert!(table.remove_budget(task), "the task has lost its budget");
    assert_eq!((table.next_date(), table.used()), (None, 0));
}

/// The low half of the claim's number is 0, as is the number of a free timer.
#[test]
fn an_old_claim_does_not_arm_a_free_timer() {
    let table: &Table<2> = &TimerTable::new();
    let table: &TimerTable<StdHost, u8> = table;
    table
        .timers
        .with(|timers| timers.claims.set(u64::from(u32::MAX)));
    let claimed = table.claim().unwrap();
    drop(table.release(claimed.index));
    assert!(table.arm(claimed, 10, Waker::noop().clone()).is_some());
    assert_eq!((table.next_date(), table.used()), (None, 0));
}

/// A generator of numbers, with a period of 2^64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % end
    }
}

const TIMERS: usize = 12;

/// Timers are armed, moved, given up and come due at few dates. Each is where a sorted list has it.
#[test]
fn the_heap_is_in_order_after_each_step() {
    for seed in 0..if cfg!(miri) { 2 } else { 300 } {
        let mut random = Random(seed);
        let table: Table<TIMERS> = TimerTable::new();
        let table: &TimerTable<StdHost, u8> = &table;
        // The date, the number of the claim, the index.
        let mut armed: Vec<(u64, u64, TimerIndex)> = Vec::new();
        for _ in 0..200 {
            let date = random.below(6) as u64;
            match random.below(4) {
                0 | 1 if armed.len() < TIMERS => {
                    let claimed = table.claim().unwrap();
                    assert!(table.arm(claimed, date, Waker::noop().clone()).is_none());
                    armed.push((date, claimed.claim, claimed.index));
                }
                2 if !armed.is_empty() => {
                    let place = random.below(armed.len());
                    drop(table.release(armed.swap_remove(place).2));
                }
                _ if !armed.is_empty() => {
                    let place = random.below(armed.len());
                    armed[place].0 = date;
                    let task = Waker::noop().data();
                    assert!(table.move_to(armed[place].2, task, date));
                }
                _ => {}
            }
            armed.sort_unstable();
            assert_eq!(table.next_date(), armed.first().map(|first| first.0));
            assert_in_order(table, armed.len());
        }
        for (date, _, index) in armed {
            assert!(matches!(table.take_due(date), Due::Now(Purpose::Wake(_))));
            assert!(table.release_due(index), "the next one is {index}");
        }
        assert_eq!((table.next_date(), table.used()), (None, 0));
    }
}

/// No timer comes before the one above it, and each knows its place.
fn assert_in_order(table: &TimerTable<StdHost, u8>, armed: usize) {
    table.timers.with(|timers| {
        assert_eq!(usize::from(timers.armed.get()), armed);
        for place in 0..armed {
            let (_, timer) = timers.at(place).unwrap();
            assert_eq!(usize::from(timer.place.get()), place + 1);
            let (_, above) = timers.at(place.saturating_sub(1) / 2).unwrap();
            assert!(!timer.is_before(above), "place {place}");
        }
    });
}
