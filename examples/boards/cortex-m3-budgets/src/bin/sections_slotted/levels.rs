//! The work on an executor with four levels: every call that knows them.

use core::array::from_fn;

use cortex_m3_budgets::rounds::slotted_levels::Host;
use slotted::Executor;

static POOL: Executor<0, 8, 16, Host> = Executor::new();

/// Submits, raises, cancels and runs, at each level.
pub(crate) fn use_all() {
    let handles: [_; 8] = from_fn(|number| {
        let submitter = match number % 4 {
            0 => POOL.submitter(),
            1 => POOL.level::<1>(),
            2 => POOL.level::<2>(),
            _ => POOL.level::<3>(),
        };
        submitter.submit(move || number).ok()
    });
    for handle in handles.iter().flatten().step_by(3) {
        assert!(handle.raise::<3>() || handle.cancel());
    }
    assert!(POOL.run_one_at::<2>());
    POOL.run_until_idle();
    drop(handles);
    assert!(POOL.level_stats()[0].longest_wait > 0);
}
