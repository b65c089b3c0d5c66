//! `chili`: fork and join only.

use core::num::NonZero;

use chili::{Config, Scope, ThreadPool};

use super::Found;
use crate::arguments::Effort;
use crate::pool::WORKERS;
use crate::sample::Figures;
use crate::work::work;
use crate::workload::{self, CUTOFF, Workload};

/// The count includes the calling thread.
fn threads() -> ThreadPool {
    ThreadPool::with_config(Config {
        thread_count: NonZero::new(WORKERS + 1),
        ..Config::default()
    })
}

fn fork(scope: &mut Scope<'_>, n: u64) -> u64 {
    if n < CUTOFF {
        return workload::fibonacci(n);
    }
    let (one, other) = scope.join(|scope| fork(scope, n - 1), |scope| fork(scope, n - 2));
    one + other
}

fn fork_join(effort: Effort) -> Figures {
    let threads = threads();
    let mut scope = threads.scope();
    workload::fork_join_with(effort, |n| fork(&mut scope, n))
}

fn halve(scope: &mut Scope<'_>, output: &mut [u64], input: &[u64], chunk: usize) {
    if output.len() <= chunk {
        output
            .iter_mut()
            .zip(input)
            .for_each(|(place, &item)| *place = work(item));
        return;
    }
    let middle = output.len() / 2;
    let (places, more_places) = output.split_at_mut(middle);
    let (items, more_items) = input.split_at(middle);
    scope.join(
        |scope| halve(scope, places, items, chunk),
        |scope| halve(scope, more_places, more_items, chunk),
    );
}

fn array(effort: Effort) -> Figures {
    let threads = threads();
    workload::array_with(effort, |input, output, chunk| {
        halve(&mut threads.scope(), output, input, chunk)
    })
}

pub fn find(workload: Workload) -> Found {
    match workload {
        Workload::ForkJoin => Found::Here(fork_join),
        Workload::Array => Found::Here(array),
        _ => Found::Missing,
    }
}
