//! Panics that reach the caller: those of scopes, and of the input and the function of a map.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::panic::resume_unwind;
use std::sync::Arc;

use slotted::Executor;

use super::{
    ChainedPanic, Drops, PanicsOnDrop, assert_sound, caught, message_of, panic_of, panics_and_slots,
};
use crate::stage::{raise, within_limit};

#[test]
fn the_panic_of_a_scopes_body_wins_over_the_panics_of_its_tasks() {
    within_limit(|| {
        let executor: Executor<0, 4> = Executor::new();
        let body = || {
            executor.scope(|s| {
                s.submit(|| resume_unwind(Box::new(ChainedPanic)))
                    .unwrap()
                    .detach();
                s.submit(|| resume_unwind(Box::new(ChainedPanic)))
                    .unwrap()
                    .detach();
                raise("body")
            })
        };
        assert_eq!(message_of(body), "body");
        assert_eq!(panics_and_slots(executor.stats()), [2, 0, 0, 0]);
    });
}

#[test]
fn the_first_panic_of_a_task_leaves_the_scope_and_the_others_are_dropped() {
    within_limit(|| {
        let executor: Executor<0, 4> = Executor::new();
        let body = || {
            executor.scope(|s| {
                s.submit(|| raise("task")).unwrap().detach();
                s.submit(|| resume_unwind(Box::new(ChainedPanic)))
                    .unwrap()
                    .detach();
            });
        };
        assert_eq!(message_of(body), "task");
        assert_eq!(panics_and_slots(executor.stats()), [2, 0, 0, 0]);
    });
}

#[test]
fn a_panic_of_a_maps_input_reaches_the_consumer_and_the_map_goes_on() {
    within_limit(|| {
        let executor: Executor<0, 4> = Executor::new();
        for unordered in [false, true] {
            let items = (0..6).inspect(|&item| {
                if item == 3 {
                    raise("input")
                }
            });
            let map = executor.map(items, |item: i32| item);
            let mut map = if unordered { map.unordered() } else { map };
            assert_eq!(message_of(|| map.next()), "input");
            assert_eq!(executor.stats().slots_in_use, 3);
            assert_eq!(
                map.by_ref().map(Result::unwrap).collect::<Vec<_>>(),
                [0, 1, 2, 4, 5]
            );
            drop(map);
            assert_eq!(executor.stats().slots_in_use, 0);
        }
    });
}

/// A capture of a map's function, whose clone for the third item panics.
struct PanicsInClone<'c>(&'c AtomicUsize);

impl Clone for PanicsInClone<'_> {
    fn clone(&self) -> Self {
        if self.0.fetch_add(1, Ordering::Relaxed) == 2 {
            raise("clone");
        }
        Self(self.0)
    }
}

#[test]
fn a_panic_in_the_clone_of_a_maps_function_loses_one_item() {
    static CLONES: AtomicUsize = AtomicUsize::new(0);
    within_limit(|| {
        let executor: Executor<0, 4> = Executor::new();
        let capture = PanicsInClone(&CLONES);
        let counted = Arc::new(());
        let items = [0, 1, 2, 3, 4, 5].map(|item| (item, counted.clone()));
        let mut map = executor.map(items, move |(item, _counted): (i32, Arc<()>)| {
            // Names the whole value, so that the closure owns it and clones it.
            let PanicsInClone(clones) = &capture;
            assert!(clones.load(Ordering::Relaxed) > 0);
            item
        });
        assert_eq!(message_of(|| map.next()), "clone");
        assert_eq!(executor.stats().slots_in_use, 2);
        assert_eq!(
            map.by_ref().map(Result::unwrap).collect::<Vec<_>>(),
            [0, 1, 3, 4, 5]
        );
        drop(map);
        assert_eq!(executor.stats().slots_in_use, 0);
        assert_eq!(Arc::strong_count(&counted), 1);
    });
}

#[test]
fn a_map_item_that_panics_on_drop_is_one_error() {
    within_limit(|| {
        let executor: Executor<0, 4> = Executor::new();
        let drops = Drops::default();
        let items = (0..5).map(|item| (item, (item == 2).then(|| drops.panicking())));
        let mut map = executor.map(items, |(item, _panicking): (i32, Option<PanicsOnDrop>)| {
            item
        });
        assert_eq!(
            map.by_ref().take(2).map(Result::unwrap).collect::<Vec<_>>(),
            [0, 1]
        );
        assert_eq!(panic_of(map.next().unwrap()), "dropped");
        assert_eq!(map.map(Result::unwrap).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(drops.dropped(), 1);
        assert_eq!(panics_and_slots(executor.stats()), [1, 0, 0, 0]);
    });
}

#[test]
fn cancelled_map_items_that_panic_on_drop_are_contained() {
    within_limit(|| {
        let executor: Executor<0, 4> = Executor::new();
        let drops = Drops::default();
        let items = (0..8).map(|_| drops.panicking());
        let mut map = executor.map(items, |panicking: PanicsOnDrop| {
            core::mem::forget(panicking)
        });
        map.next().unwrap().unwrap();
        assert!(caught(|| drop(map)).is_ok());
        assert_eq!((drops.dropped(), executor.stats().cancelled), (3, 3));
        assert_sound(&executor);
    });
}
