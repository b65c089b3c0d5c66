//! Tasks that begin at a date. The interrupt of the board's clock moves what is due.

use core::ops::ControlFlow;
use core::time::Duration;

use slotted::{Clock, Every, Refusal, Shutdown, Spawn};

use crate::{Board, Suite, Verdict, check};

impl<const WORKERS: usize, H: Clock> Suite<WORKERS, H> {
    /// Tasks run at their dates, in that order, and not before.
    pub(crate) fn delayed<S: Spawn<H>>(&'static self, board: &Board<'_, S>) -> Verdict {
        self.open(board)?;
        let later = self.times.on(&self.executor);
        let now = H::now();
        // In ticks; a board has some hundreds to some millions in a second.
        let step = (H::TICKS_PER_SECOND / 200).max(1);
        let [first, second] = [now + step, now + 2 * step];
        let last = later.submit_at(second, H::now)?;
        let early = later.submit_at(first, H::now)?;
        let moved = later.submit_at(u64::MAX, H::now)?;
        let cancelled = later.submit_after(Duration::from_secs(3600), H::now)?;
        check!(cancelled.cancel());
        check!(self.times.move_to(&moved, second));
        let early = early.result()?;
        check!(early >= first);
        check!(last.result()? >= second);
        check!(moved.result()? >= second);
        check!(self.times.next_date().is_none());
        Ok(())
    }

    /// A series keeps to its grid: each date is run or counted.
    pub(crate) fn series<S: Spawn<H>>(&'static self, board: &Board<'_, S>) -> Verdict {
        const DATES: u64 = 10;
        self.open(board)?;
        let period = (H::TICKS_PER_SECOND / 500).max(1);
        let first = H::now() + period;
        let mut dates = 0;
        let series = self.times.on(&self.executor).submit_every(
            Every::ticks(period).first_at(first),
            move |run| {
                dates += u64::from(run.missed) + 1;
                if run.date != first + (dates - 1) * period {
                    return ControlFlow::Break(None);
                }
                if dates < DATES {
                    return ControlFlow::Continue(());
                }
                ControlFlow::Break(Some(H::now()))
            },
        )?;
        let ended = series.result()?;
        check!(ended.is_some_and(|ended| ended >= first + (DATES - 1) * period));
        Ok(())
    }

    /// A drain waits for no date.
    pub(crate) fn drained<S: Spawn<H>>(&'static self, board: &Board<'_, S>) -> Verdict {
        self.open(board)?;
        let later = self.times.on(&self.executor);
        let far = later.submit_after(Duration::from_secs(3600), || ())?;
        let series = later.submit_every(Every::new(Duration::from_secs(60)), |_| {
            ControlFlow::<()>::Continue(())
        })?;
        crate::close(&self.executor, board, Shutdown::Drain)?;
        check!(far.cancelled() && series.cancelled());
        check!(self.times.next_date().is_none());
        let refused = later.submit_at(0, || ());
        check!(refused.is_err_and(|refused| refused.reason() == Refusal::ShutDown));
        Ok(())
    }
}
