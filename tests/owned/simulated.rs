//! With `SimHost`: the same seed gives the same order, and every order keeps the promises.

use slotted::{JoinHandle, Owned, Shutdown, SimHost, Simulation, TaskError};

type Radio = Owned<Vec<u32>, 4, 64, SimHost>;

/// Two submitters and the owner. One submitter waits inline.
fn program(simulation: &Simulation) -> Vec<u32> {
    let radio: &'static Radio = Box::leak(Box::new(Owned::new()));
    let worker = radio.worker().unwrap();
    let (give, take) = std::sync::mpsc::channel();
    simulation
        .spawn("owner", move || give.send(worker.run(vec![])).unwrap())
        .unwrap();
    for submitter in 0..2 {
        let work = move || {
            for number in 0..3 {
                let task = move |own: &mut Vec<u32>| own.push(submitter * 10 + number);
                let handle: JoinHandle<'_, (), SimHost> = radio.submit_blocking(task).unwrap();
                let ended = if submitter == 0 {
                    handle.result_inline()
                } else {
                    handle.result()
                };
                assert_eq!(ended, Ok(()));
            }
        };
        simulation.spawn("submitter", work).unwrap();
    }
    let nested = radio.submit_blocking(|_| {
        let inner = radio.submit(|own| own.push(100));
        inner.map(|inner| inner.result())
    });
    let told = nested.unwrap().result().unwrap();
    if let Ok(told) = told {
        assert_eq!(told, Err(TaskError::WouldDeadlock));
    }
    simulation.settle();
    assert_eq!(simulation.running_threads(), 1, "the owner waits for more");
    radio.shutdown(Shutdown::Drain).unwrap();
    simulation.settle(); // the thread gives the numbers after its worker has left
    take.recv().unwrap()
}

#[test]
fn every_order_of_threads_runs_each_task_once() {
    let seeds = if cfg!(miri) { 2 } else { 100 };
    Simulation::check_seeds(0..seeds, |simulation| {
        let mut sent = program(simulation);
        sent.retain(|number| *number < 100);
        for submitter in 0..2 {
            let of_one: Vec<_> = sent
                .iter()
                .filter(|sent| **sent / 10 == submitter)
                .collect();
            assert_eq!(of_one.len(), 3);
            assert!(of_one.is_sorted());
        }
    });
}

#[test]
fn the_same_seed_gives_the_same_order() {
    let run = || {
        let simulation = Simulation::new().seed(7);
        let sent = program(&simulation);
        (sent, simulation.trace().hash())
    };
    assert_eq!(run(), run());
}
