//! W7: the heap memory that tasks take.

use crate::arguments::Effort;
use crate::memory::{allocations_of, peak_kibibytes};
use crate::pool::Pool;
use crate::sample::Figures;
use crate::workload::stream::keep;

pub fn footprint<P: Pool>(effort: Effort) -> Figures {
    let pool = P::start();
    pool.enter(|| {
        let count = effort.of(20_000);
        keep(&pool, 64, count);
        // One allocation is the submitter's queue of handles.
        let allocations = allocations_of(|| keep(&pool, 64, count)) - 1;
        vec![
            allocations as f64 / count as f64,
            peak_kibibytes().unwrap_or(f64::NAN),
        ]
    })
}
