//! Random programs of one thread against a model: a queue for each level.

use std::collections::VecDeque;

use proptest::prelude::*;
use slotted::{Executor, JoinHandle};

use super::Host;

#[derive(Clone, Copy, Debug)]
enum Step {
    Submit { level: usize },
    RunOne { floor: usize },
    Cancel { which: usize },
    Raise { which: usize, level: usize },
    RunInline { which: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..3_usize).prop_map(|level| Step::Submit { level }),
        3 => (0..3_usize).prop_map(|floor| Step::RunOne { floor }),
        1 => any::<usize>().prop_map(|which| Step::Cancel { which }),
        2 => (any::<usize>(), 0..3_usize).prop_map(|(which, level)| Step::Raise { which, level }),
        1 => any::<usize>().prop_map(|which| Step::RunInline { which }),
    ];
    proptest::collection::vec(step, 0..60)
}

/// The numbers of the tasks that wait, by level.
#[derive(Default)]
struct Model([VecDeque<usize>; 3]);

impl Model {
    fn len(&self) -> usize {
        self.0.iter().map(VecDeque::len).sum()
    }

    fn take_next(&mut self, floor: usize) -> Option<usize> {
        self.0[floor..]
            .iter_mut()
            .rev()
            .find_map(VecDeque::pop_front)
    }

    /// Takes a task out wherever it stands, and returns its level.
    fn take(&mut self, task: usize) -> Option<usize> {
        (0..3).find(|&level| {
            let place = self.0[level].iter().position(|&other| other == task);
            place.map(|place| self.0[level].remove(place)).is_some()
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 4 } else { 500 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn levels_are_a_queue_each(steps in steps()) {
        let pool: Executor<0, 8, 64, Host> = Executor::new();
        let mut model = Model::default();
        let mut handles: Vec<Option<JoinHandle<'_, usize, Host>>> = Vec::new();
        let waits = |handles: &[Option<JoinHandle<'_, usize, Host>>], which: usize| {
            let there: Vec<usize> =
                (0..handles.len()).filter(|&task| handles[task].is_some()).collect();
            (!there.is_empty()).then(|| there[which % there.len()])
        };
        for step in steps {
            match step {
                Step::Submit { level } => {
                    let number = handles.len();
                    let task = move || number;
                    let submitted = match level {
                        0 => pool.submit(task),
                        1 => pool.level::<1>().submit(task),
                        _ => pool.level::<2>().submit(task),
                    };
                    prop_assert_eq!(submitted.is_ok(), model.len() < 8);
                    if let Ok(handle) = submitted {
                        handles.push(Some(handle));
                        model.0[level].push_back(number);
                    }
                }
                Step::RunOne { floor } => {
                    let expected = model.take_next(floor);
                    let ran = match floor {
                        0 => pool.run_one(),
                        1 => pool.run_one_at::<1>(),
                        _ => pool.run_one_at::<2>(),
                    };
                    prop_assert_eq!(ran, expected.is_some());
                    if let Some(task) = expected {
                        let mut handle = handles[task].take().unwrap();
                        prop_assert_eq!(handle.try_result(), Some(Ok(task)));
                    }
                }
                Step::Cancel { which } => {
                    if let Some(task) = waits(&handles, which) {
                        prop_assert!(handles[task].take().unwrap().cancel());
                        prop_assert!(model.take(task).is_some());
                    }
                }
                Step::Raise { which, level } => {
                    if let Some(task) = waits(&handles, which) {
                        let handle = handles[task].as_ref().unwrap();
                        let raised = match level {
                            0 => handle.raise::<0>(),
                            1 => handle.raise::<1>(),
                            _ => handle.raise::<2>(),
                        };
                        let before = model.0.iter().position(|queue| queue.contains(&task));
                        prop_assert_eq!(raised, before.unwrap() < level);
                        if raised {
                            model.take(task);
                            model.0[level].push_back(task);
                        }
                    }
                }
                Step::RunInline { which } => {
                    if let Some(task) = waits(&handles, which) {
                        let handle = handles[task].take().unwrap();
                        prop_assert_eq!(handle.result_inline(), Ok(task));
                        prop_assert!(model.take(task).is_some());
                    }
                }
            }
            prop_assert_eq!(pool.stats().slots_in_use, model.len());
        }
    }
}
