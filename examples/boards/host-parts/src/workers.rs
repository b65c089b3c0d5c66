//! A place for each worker, where its core or interrupt finds it.

use core::cell::Cell;
use core::convert::Infallible;

use critical_section::Mutex;
use slotted::{Park, Ran, Spawn, Worker};

/// A host with threads numbered from 0: worker number n is for thread number n.
pub trait Places: Park {
    /// The thread of that number, for wake-ups.
    fn thread(place: usize) -> Self::Thread;
}

/// The workers, each in the place of its thread.
pub struct Workers<const PLACES: usize, H: Places> {
    places: [Mutex<Cell<Option<Worker<'static, H>>>>; PLACES],
}

impl<const PLACES: usize, H: Places> Workers<PLACES, H> {
    /// Workers without a place in use.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            places: [const { Mutex::new(Cell::new(None)) }; PLACES],
        }
    }

    /// Makes a worker run the oldest task, if there is one. The thread of that place calls it, if
    /// it has other work too.
    pub fn run_one(&self, place: usize) -> Ran {
        let place = &self.places[place];
        // Tasks run outside the critical section.
        let Some(mut worker) = critical_section::with(|section| place.borrow(section).take())
        else {
            return Ran::Left;
        };
        let ran = worker.run_one();
        if ran != Ran::Left {
            critical_section::with(|section| place.borrow(section).set(Some(worker)));
        }
        ran
    }

    /// Runs each worker that comes to the place. The thread of that place calls it, if it has no
    /// other work.
    pub fn run(&self, place: usize) -> ! {
        loop {
            match critical_section::with(|section| self.places[place].borrow(section).take()) {
                Some(worker) => worker.run(),
                None => H::park(),
            }
        }
    }
}

impl<const PLACES: usize, H: Places> Default for Workers<PLACES, H> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const PLACES: usize, H: Places> Spawn<H> for Workers<PLACES, H> {
    type Error = Infallible;

    /// Drops a worker without a place: the executor then has one less.
    fn spawn(&self, worker: Worker<'static, H>) -> Result<(), Infallible> {
        let number = worker.index();
        if let Some(place) = self.places.get(number) {
            drop(critical_section::with(|section| {
                place.borrow(section).replace(Some(worker))
            }));
            H::unpark(&H::thread(number));
        }
        Ok(())
    }
}
