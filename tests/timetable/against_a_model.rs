//! Random programs against a naive model: a list of dates that is sorted anew for each step.

use fastrand::Rng;
use slotted::JoinHandle;

use crate::{Log, Manual, leak};

const TIMERS: usize = 13;

/// A task that the model knows.
struct Waiting {
    name: u64,
    date: u64,
    handle: JoinHandle<'static, (), Manual>,
}

fn play(seed: u64, steps: usize) {
    let mut random = Rng::with_seed(seed);
    let (pool, times) = leak::<TIMERS, TIMERS>();
    let log = Log::default();
    let mut waiting = Vec::<Waiting>::new();
    let (mut now, mut name) = (0, 0);
    for _ in 0..steps {
        let about = |random: &mut Rng| now + random.u64(0..12).saturating_sub(2);
        match random.u8(0..10) {
            0..=4 => {
                let (date, noted) = (about(&mut random), log.clone());
                name += 1;
                let number = name;
                let submitted = times.on(pool).submit_at(date, move || noted.note(number));
                assert_eq!(submitted.is_ok(), waiting.len() < TIMERS, "seed {seed}");
                if let Ok(handle) = submitted {
                    waiting.push(Waiting { name, date, handle });
                }
            }
            5 if !waiting.is_empty() => {
                let at = random.usize(0..waiting.len());
                assert!(waiting.remove(at).handle.cancel(), "seed {seed}");
            }
            6 | 7 if !waiting.is_empty() => {
                let (at, date) = (random.usize(0..waiting.len()), about(&mut random));
                assert!(times.move_to(&waiting[at].handle, date), "seed {seed}");
                waiting[at].date = date;
            }
            _ => {
                now += random.u64(0..5);
                Manual::set(now);
                let next = times.advance();
                pool.run_until_idle();
                let mut due: Vec<_> = waiting
                    .extract_if(.., |task| task.date <= now)
                    .map(|task| (task.date, task.name))
                    .collect();
                due.sort_unstable();
                let names: Vec<_> = due.into_iter().map(|(_, name)| name).collect();
                assert_eq!(log.take(), names, "seed {seed}");
                let earliest = waiting.iter().map(|task| task.date).min();
                assert_eq!(next, earliest, "seed {seed}");
            }
        }
        let earliest = waiting.iter().map(|task| task.date).min();
        assert_eq!(times.next_date(), earliest, "seed {seed}");
    }
}

#[test]
fn a_random_program_of_dates_runs_as_the_model_says() {
    let programs = if cfg!(miri) { 3 } else { 400 };
    for seed in 0..programs {
        play(seed, 300);
    }
}
