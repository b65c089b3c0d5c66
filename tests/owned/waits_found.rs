//! Waits of an owner's task for its own tasks and for others.
//!
//! A simulated wait that nothing can end panics.

use core::time::Duration;
use std::sync::mpsc::channel;

use slotted::{
    JoinHandle, Levels, Ordered, Owned, Ran, ReturnWhen, SimHost, Simulation, StdHost, wait,
};

type Leveled = Ordered<StdHost, Levels<2>>;

/// "A wait without a limit gets `WouldDeadlock`": a promise is kept meanwhile, and then only what
/// the owner itself would have to run is left.
#[test]
fn a_wait_for_the_first_error_ends_when_only_the_owners_own_tasks_are_left() {
    Simulation::check_seeds(0..20, |simulation| {
        let radio: &'static Owned<u32, 4, 128, SimHost> = Box::leak(Box::new(Owned::new()));
        let (promise, kept) = radio.promise::<u32>().unwrap();
        let outer = radio.submit(move |_| {
            let mut both = [radio.submit(|n| *n).unwrap(), kept];
            let waited = wait(&mut both, ReturnWhen::FirstError);
            (waited.done.len(), waited.not_done.len())
        });
        let keeper = move || promise.set_result(7).unwrap();
        simulation.spawn("keeper", keeper).unwrap();
        let mut worker = radio.worker().unwrap();
        assert_eq!(worker.run_one(&mut 9), Ran::Task);
        assert_eq!(outer.unwrap().result(), Ok((1, 1)));
    });
}

/// "The other task stays where it is": with levels too.
#[test]
fn what_the_owner_waited_for_keeps_its_level() {
    let log: &'static Owned<Vec<u32>, 4, 128, Leveled> = Box::leak(Box::new(Owned::new()));
    for limit in [None, Some(Duration::ZERO), Some(Duration::from_millis(1))] {
        let (give, take) = channel::<JoinHandle<'static, (), Leveled>>();
        let urgent = log.level::<1>().submit(move |_| {
            let mut awaited = take.recv().unwrap();
            match limit {
                None => awaited.result(),
                Some(limit) => awaited.result_timeout(limit),
            }
        });
        log.submit(|numbers| numbers.push(1)).unwrap().detach();
        give.send(log.submit(|numbers| numbers.push(2)).unwrap())
            .unwrap();
        let (mut worker, mut numbers) = (log.worker().unwrap(), vec![]);
        while worker.run_one(&mut numbers) == Ran::Task {}
        assert!(urgent.unwrap().result().unwrap().is_err());
        assert_eq!(numbers, [1, 2], "with the limit {limit:?}");
    }
}
