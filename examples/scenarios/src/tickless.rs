//! A board that sleeps from date to date. No interrupt comes but that of its clock.

use core::fmt::{self, Write};
use core::marker::PhantomData;
use core::ops::ControlFlow;
use core::time::Duration;

use portable_atomic::{AtomicBool, AtomicU32, Ordering};
use slotted::{Clock, Every, Executor, Park, Step, Timetable};

use crate::{Failure, SLOT_BYTES, Suite, Verdict, check};

/// What the emulator makes of a board's time and sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emulator {
    /// It counts instructions and skips sleeps: every time is exact, and a day takes a moment.
    CountsInstructions,
    /// The time is the desktop's, which may stop the guest for a while.
    RunsFreely,
    /// As before, and its cores do not sleep: QEMU's `wfe` does not wait.
    NeverSleeps,
}

/// How often the thread fell asleep.
static SLEEPS: AtomicU32 = AtomicU32::new(0);

/// The host, with its sleeps counted.
struct Counted<H>(PhantomData<H>);

impl<H: Park> Park for Counted<H> {
    type Thread = H::Thread;
    type Order = H::Order;

    fn current() -> H::Thread {
        H::current()
    }

    fn current_id() -> usize {
        H::current_id()
    }

    fn park() {
        SLEEPS.fetch_add(1, Ordering::Relaxed);
        H::park();
    }

    fn unpark(thread: &H::Thread) {
        H::unpark(thread);
    }

    fn ready() {
        H::ready();
    }

    fn note(step: impl FnOnce() -> Step) {
        H::note(step);
    }

    fn ready_at(level: usize) {
        H::ready_at(level);
    }
}

impl<H: Clock> Clock for Counted<H> {
    const TICKS_PER_SECOND: u64 = H::TICKS_PER_SECOND;

    fn now() -> u64 {
        H::now()
    }

    fn park_until(deadline: u64) {
        SLEEPS.fetch_add(1, Ordering::Relaxed);
        H::park_until(deadline);
    }

    fn set_alarm(date: Option<u64>) {
        H::set_alarm(date);
    }
}

/// What the board sleeps for. The calling thread runs the tasks.
pub(crate) struct Sleeper<H: Clock> {
    executor: Executor<0, 4, SLOT_BYTES, Counted<H>>,
    times: Timetable<4, Counted<H>>,
    /// True while the alarm is for these timers: a host has one alarm.
    has_alarm: AtomicBool,
    /// The interrupts of the clock.
    alarms: AtomicU32,
}

impl<H: Clock> Sleeper<H> {
    pub(crate) const fn new() -> Self {
        Self {
            executor: Executor::new(),
            times: Timetable::new(),
            has_alarm: AtomicBool::new(false),
            alarms: AtomicU32::new(0),
        }
    }
}

/// What happened since a moment.
struct Since {
    alarms: u32,
    sleeps: u32,
}

/// A hundredth of a second, in ticks.
const fn hundredth<H: Clock>() -> u64 {
    H::TICKS_PER_SECOND / 100
}

impl<const WORKERS: usize, H: Clock> Suite<WORKERS, H> {
    /// Moves what is due. The handler of the clock's interrupt calls it; on a board with a tick,
    /// the handler of the tick.
    pub fn advance(&'static self) {
        let sleeper = &self.sleeper;
        if sleeper.has_alarm.load(Ordering::Relaxed) {
            sleeper.alarms.fetch_add(1, Ordering::Relaxed);
            sleeper.times.advance();
        } else {
            self.times.advance();
        }
    }

    /// Sleeps from date to date. A board whose host has an alarm calls it from its main thread,
    /// before [`run`](Self::run), while no other interrupt comes.
    ///
    /// Returns how many scenarios failed.
    ///
    /// # Errors
    ///
    /// If a line cannot be written.
    pub fn sleep(
        &'static self,
        emulator: Emulator,
        out: &mut impl Write,
    ) -> Result<usize, fmt::Error> {
        type Asleep<S> = (&'static str, fn(&'static S, Emulator) -> Verdict);
        let scenarios: [Asleep<Self>; 4] = [
            ("asleep between dates, without a tick", Self::date_to_date),
            ("asleep until a time limit", Self::until_time_limit),
            ("a date that is near or past is not lost", Self::near_dates),
            ("the clock goes on when its counter wraps", Self::wraps),
        ];
        // The last one sleeps for minutes.
        let count = match emulator {
            Emulator::CountsInstructions => 4,
            _ => 3,
        };
        let mut failed = 0;
        self.sleeper.has_alarm.store(true, Ordering::Relaxed);
        for (name, scenario) in &scenarios[..count] {
            match scenario(self, emulator) {
                Ok(()) => writeln!(out, "ok {name}")?,
                Err(Failure(why)) => {
                    failed += 1;
                    writeln!(out, "FAILED {name}: {why}")?;
                }
            }
        }
        self.sleeper.has_alarm.store(false, Ordering::Relaxed);
        Ok(failed)
    }

    fn since(&self) -> Since {
        Since {
            alarms: self.sleeper.alarms.load(Ordering::Relaxed),
            sleeps: SLEEPS.load(Ordering::Relaxed),
        }
    }

    /// Checks that the clock interrupted no more than `dates` times since then, and that the thread
    /// woke up for nothing else. A tick of a millisecond comes ten times as often.
    fn slept(&self, since: &Since, dates: u32, emulator: Emulator) -> Verdict {
        let Since { alarms, sleeps } = self.since();
        let (alarms, sleeps) = (alarms - since.alarms, sleeps - since.sleeps);
        // An alarm may come without need: as it is set anew, the interrupt is on its way already.
        let most = match emulator {
            Emulator::CountsInstructions => dates,
            _ => 2 * dates + 2,
        };
        check!(alarms <= most);
        // A permit that is left from before ends a sleep at once.
        check!(emulator == Emulator::NeverSleeps || sleeps <= 2 * most);
        check!(sleeps > 0);
        Ok(())
    }

    /// Tasks with dates and a series. There is one interrupt for each date.
    fn date_to_date(&'static self, emulator: Emulator) -> Verdict {
        const DATES: u32 = 20;
        let step = hundredth::<H>();
        let later = self.sleeper.times.on(&self.sleeper.executor);
        let since = self.since();
        let began = H::now();
        let pulse = later.submit_every(
            Every::ticks(2 * step).first_at(began + 2 * step),
            move |run| {
                let number = (run.date - began) / (2 * step);
                let is_on_grid = (run.date - began) % (2 * step) == 0;
                if !is_on_grid || H::now() < run.date {
                    return ControlFlow::Break(None);
                }
                if number < u64::from(DATES) {
                    return ControlFlow::Continue(());
                }
                ControlFlow::Break(Some(run.late))
            },
        )?;
        // Between two dates of the series.
        let dates = [began + 3 * step, began + 9 * step];
        let second = later.submit_at(dates[1], H::now)?;
        let first = later.submit_at(dates[0], H::now)?;
        for (task, date) in [first, second].into_iter().zip(dates) {
            let ran = task.result()?;
            check!(ran >= date);
            check!(emulator != Emulator::CountsInstructions || ran - date < step / 10);
        }
        let late = pulse.result()?;
        check!(late.is_some());
        check!(
            emulator != Emulator::CountsInstructions || late.is_some_and(|late| late < step / 10)
        );
        check!(self.sleeper.times.next_date().is_none());
        self.slept(&since, DATES + 2, emulator)?;
        if emulator == Emulator::CountsInstructions {
            check!(self.since().alarms - since.alarms == DATES + 2);
        }
        Ok(())
    }

    /// A wait with a time limit, while no task has a date, and while one has.
    fn until_time_limit(&'static self, emulator: Emulator) -> Verdict {
        const LIMIT: Duration = Duration::from_millis(50);
        let step = hundredth::<H>();
        let (promise, mut handle) = self.sleeper.executor.promise::<u32>()?;
        for has_date in [false, true] {
            let since = self.since();
            let began = H::now();
            let later = self.sleeper.times.on(&self.sleeper.executor);
            let task = later.submit_at(began + if has_date { 2 } else { 9 } * step, H::now)?;
            check!(
                handle
                    .result_timeout(LIMIT)
                    .is_err_and(|error| error.is_timed_out())
            );
            let took = H::now() - began;
            check!(took >= 5 * step);
            check!(emulator != Emulator::CountsInstructions || took < 5 * step + step / 10);
            check!(emulator != Emulator::CountsInstructions || task.done() == has_date);
            check!(task.result()? - began >= if has_date { 2 } else { 9 } * step);
            self.slept(&since, 2, emulator)?;
        }
        drop(promise);
        Ok(())
    }

    /// The date has passed before the alarm is set, or comes meanwhile, or just after it. The
    /// thread does not sleep: if the alarm is lost, the next request may be a whole round away, and
    /// the clock would not see that round.
    fn near_dates(&'static self, emulator: Emulator) -> Verdict {
        const STEPS: u64 = 200;
        let later = self.sleeper.times.on(&self.sleeper.executor);
        let most = match emulator {
            Emulator::CountsInstructions => hundredth::<H>(),
            _ => 2 * H::TICKS_PER_SECOND,
        };
        let began = H::now();
        later.submit_at(began, || ())?.result()?;
        let took = H::now() - began;
        for step in 0..STEPS {
            let before = self.since();
            let date = H::now() + took * step / STEPS;
            let task = later.submit_at(date, H::now)?;
            while self.since().alarms == before.alarms {
                check!(H::now() < date + most);
            }
            check!(task.result()? >= date);
        }
        // The same for a deadline, which is set sooner.
        for step in 0..STEPS {
            let date = H::now() + took * step / STEPS / 4;
            while H::now() < date {
                Counted::<H>::park_until(date);
            }
            check!(H::now() < date + most);
        }
        Ok(())
    }

    /// Sleeps for three rounds of a counter of 32 bits.
    fn wraps(&'static self, emulator: Emulator) -> Verdict {
        const ROUND: u64 = 1 << 32;
        let since = self.since();
        let date = H::now() + 3 * ROUND;
        let later = self.sleeper.times.on(&self.sleeper.executor);
        let ran = later.submit_at(date, H::now)?.result()?;
        check!((date..date + hundredth::<H>()).contains(&ran));
        // The counter asks for a look in each half of a round.
        self.slept(&since, 8, emulator)
    }
}
