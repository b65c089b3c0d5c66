//! Scopes: tasks that borrow from the caller. The scope returns when all of them have ended.

use core::panic::AssertUnwindSafe;
use std::panic::{catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread;

use slotted::{
    Executor, JoinHandle, Levels, Ordered, Owned, OwnedScope, Ran, Refusal, ReturnWhen, Shutdown,
    StdHost, StdThreads, TaskError, as_completed, wait,
};

use crate::connection::{Connection, Counted, drops};

/// Runs `body` beside an owner on a thread of its own.
fn with_owner<R>(body: impl FnOnce(&Owned<Connection, 4>) -> R) -> R {
    let owned: Owned<Connection, 4> = Owned::new();
    let threads = StdThreads::new();
    let done = owned.run(&threads, || Ok(Connection::new()), |owned| body(owned));
    done.unwrap()
}

fn message(caught: &(dyn core::any::Any + Send)) -> &str {
    caught.downcast_ref::<&str>().copied().unwrap_or("another")
}

#[test]
fn a_task_sends_a_buffer_of_its_caller() {
    let buffer = [1, 2, 3];
    let sent = with_owner(|owned| {
        owned.scope(|scope| {
            let send = scope.submit(|own| buffer.iter().map(|number| own.send(*number)).last());
            send.unwrap().result()
        })
    });
    assert_eq!(sent, Ok(Some(3)));
}

#[test]
fn a_task_fills_a_buffer_of_its_caller() {
    let mut buffer = [0; 4];
    with_owner(|owned| {
        owned.scope(|scope| {
            for (place, number) in buffer.iter_mut().zip(1..) {
                scope
                    .submit(move |own| *place = own.send(number))
                    .unwrap()
                    .detach();
            }
        });
    });
    assert_eq!(
        buffer,
        [1, 2, 3, 4],
        "the scope waits for what no handle waits for"
    );
}

#[test]
fn a_result_borrows_from_the_caller() {
    let words = ["one".to_string(), "three".to_string()];
    let owned: Owned<usize, 4> = Owned::new();
    let (mut worker, mut index) = (owned.worker().unwrap(), 1);
    let word: &str = owned.scope(|scope| {
        let chosen = scope.submit(|index| words[*index].as_str()).unwrap();
        assert_eq!(worker.run_one(&mut index), Ran::Task);
        chosen.result().unwrap()
    });
    assert_eq!(word, words[1]);
}

#[test]
fn a_loop_runs_the_tasks_of_its_own_scope() {
    let owned: Owned<Connection, 4> = Owned::new();
    let (mut worker, mut connection) = (owned.worker().unwrap(), Connection::new());
    let numbers = [1, 2];
    let counts = owned.scope(|scope| {
        let handles = numbers
            .each_ref()
            .map(|n| scope.submit(|own| own.send(*n)).unwrap());
        while worker.run_one(&mut connection) == Ran::Task {}
        handles.map(|handle| handle.result())
    });
    assert_eq!(counts, [Ok(1), Ok(2)]);
    assert_eq!(connection.sent(), [1, 2]);
}

#[test]
fn before_the_start_a_wait_says_so_and_the_scope_cancels() {
    let (count, owned) = (Arc::default(), Owned::<Connection, 4>::new());
    let told = owned.scope(|scope| {
        let counted = Counted::new(&count);
        let first = scope.submit(|own| own.send(drops(&count) as u32)).unwrap();
        scope.submit(move |_| drop(counted)).unwrap().detach();
        let inline = scope.submit(|own| own.send(1)).unwrap().result_inline();
        let mut handles = [first];
        let waited = wait(&mut handles, ReturnWhen::AllCompleted).not_done.len();
        assert_eq!(waited, 1);
        let [first] = handles;
        (first.result(), inline, drops(&count))
    });
    assert_eq!(
        told,
        (Err(TaskError::NotStarted), Err(TaskError::NotStarted), 0)
    );
    assert_eq!(drops(&count), 1);
    assert_eq!(
        (owned.stats().cancelled, owned.stats().slots_in_use),
        (3, 0)
    );
}

#[test]
fn an_owner_that_comes_in_time_runs_the_tasks() {
    let (count, owned) = (Arc::<_>::default(), Owned::<Connection, 4>::new());
    let mut connection = Connection::new();
    owned.scope(|scope| {
        let counted = Counted::new(&count);
        let task = |own: &mut Connection| {
            drop(counted);
            own.send(7);
        };
        scope.submit(task).unwrap().detach();
        assert_eq!(owned.worker().unwrap().run_one(&mut connection), Ran::Task);
    });
    assert_eq!((connection.sent(), drops(&count)), (vec![7], 1));
}

#[test]
fn an_owner_that_left_leaves_the_tasks_to_the_scope() {
    let (count, owned) = (Arc::default(), Owned::<Connection, 4>::new());
    let (mut worker, mut connection, local) = (owned.worker().unwrap(), Connection::new(), 1);
    owned.scope(|scope| {
        scope.submit(|own| own.send(local)).unwrap().detach();
        owned.submit(|own| own.send(2)).unwrap().detach();
        let counted = Counted::new(&count);
        scope.submit(move |_| drop(counted)).unwrap().detach();
        assert_eq!(worker.run_one(&mut connection), Ran::Task);
        drop(worker);
    });
    assert_eq!(drops(&count), 1);
    assert_eq!(
        owned.stats().queued,
        1,
        "what is not the scope's waits for the next owner"
    );
    while owned.worker().unwrap().run_one(&mut connection) == Ran::Task {}
    assert_eq!(connection.sent(), [1, 2]);
}

#[test]
fn the_owner_is_told_that_its_own_scope_cannot_run() {
    let owned: &'static Owned<Connection, 8, 128> = Box::leak(Box::new(Owned::new()));
    let count = Arc::default();
    let (mut worker, mut connection) = (owned.worker().unwrap(), Connection::new());
    let kept = Arc::clone(&count);
    let outer = owned.submit(move |own| {
        own.alone(|_| {
            let number = 5;
            owned.scope(|scope| {
                let counted = Counted::new(&kept);
                scope.submit(move |_| drop(counted)).unwrap().detach();
                let inner = scope.submit(|own| own.send(number)).unwrap();
                let mut handles = [scope.submit(|own| own.send(number)).unwrap()];
                let waited = wait(&mut handles, ReturnWhen::AllCompleted).done.len();
                (inner.result(), waited, drops(&kept))
            })
        })
    });
    owned.submit(|own| own.send(1)).unwrap().detach();
    while worker.run_one(&mut connection) == Ran::Task {}
    assert_eq!(
        outer.unwrap().result(),
        Ok((Err(TaskError::WouldDeadlock), 0, 0))
    );
    assert_eq!(drops(&count), 1, "the scope cancelled it");
    assert_eq!(connection.sent(), [1], "and nothing else");
    assert_eq!(
        (owned.stats().cancelled, owned.stats().slots_in_use),
        (3, 0)
    );
}

#[test]
fn a_callback_of_the_owner_is_told_the_same() {
    let owned: &'static Owned<u32, 4, 128> = Box::leak(Box::new(Owned::new()));
    let (give, told) = std::sync::mpsc::channel();
    let first = owned.submit(|own| *own).unwrap();
    let callback = move |_: Result<&u32, &TaskError>| {
        let number = 5;
        let inner = owned.scope(|scope| scope.submit(|own| *own + number).unwrap().result());
        give.send(inner).unwrap();
    };
    first.add_done_callback(callback).unwrap();
    assert_eq!(owned.worker().unwrap().run_one(&mut 1), Ran::Task);
    assert_eq!(told.recv().unwrap(), Err(TaskError::WouldDeadlock));
    drop(first);
    assert_eq!(owned.stats().slots_in_use, 0);
}

#[test]
fn a_shutdown_in_the_middle_drains_or_cancels_and_the_scope_returns() {
    for shutdown in [Shutdown::Drain, Shutdown::Cancel, Shutdown::Stop] {
        let (count, owned) = (Arc::default(), Owned::<Connection, 4>::new());
        let (worker, local) = (owned.worker().unwrap(), 7);
        let (ended, refused) = owned.scope(|scope| {
            let counted = Counted::new(&count);
            let task = move |own: &mut Connection| {
                drop(counted);
                own.send(local)
            };
            let handle = scope.submit(task).unwrap();
            owned.begin_shutdown(shutdown);
            let counted = Counted::new(&count);
            let refused = scope.submit(move |_| drop(counted)).unwrap_err();
            let before = drops(&count);
            let reason = refused.reason();
            drop(refused.into_inner());
            assert_eq!(drops(&count), before + 1, "the closure came back");
            let connection = worker.run(Connection::new());
            (handle.result().map(|_| connection.sent()), reason)
        });
        let expected = match shutdown {
            Shutdown::Drain => Ok(vec![7]),
            Shutdown::Cancel | Shutdown::Stop => Err(TaskError::Cancelled),
        };
        assert_eq!((ended, refused), (expected, Refusal::ShutDown));
        assert_eq!((drops(&count), owned.stats().slots_in_use), (2, 0));
        assert!(owned.worker().is_ok(), "nothing is left of the life");
    }
}

#[test]
fn a_shutdown_without_an_owner_cancels_the_tasks_of_a_scope() {
    let (count, owned) = (Arc::default(), Owned::<Connection, 4>::new());
    owned.scope(|scope| {
        let counted = Counted::new(&count);
        let handle = scope.submit(move |_| drop(counted)).unwrap();
        owned.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(handle.result(), Err(TaskError::Cancelled));
        assert_eq!(drops(&count), 1);
    });
    assert_eq!(owned.stats().slots_in_use, 0);
}

#[test]
fn a_full_owner_gives_the_closure_back() {
    let (count, owned) = (Arc::default(), Owned::<u32, 1>::new());
    let permit = owned.reserve().unwrap();
    owned.scope(|scope| {
        let counted = Counted::new(&count);
        let refused = scope.submit(move |_| drop(counted)).unwrap_err();
        assert_eq!((refused.reason(), drops(&count)), (Refusal::Full, 0));
        let task = refused.into_inner();
        let refused = scope.submit_stoppable(move |own, _| task(own)).unwrap_err();
        assert_eq!((refused.reason(), drops(&count)), (Refusal::Full, 0));
    });
    assert_eq!(drops(&count), 1);
    drop(permit);
}

#[test]
fn a_panic_of_a_task_goes_to_its_handle_or_to_the_scope() {
    let taken = with_owner(|owned| {
        owned.scope(|scope| {
            let task = scope.submit(|_| -> u32 { panic!("of a task") });
            matches!(task.unwrap().result(), Err(TaskError::Panicked(_)))
        })
    });
    assert!(taken);
    let text = "of a task".to_string();
    let raised = with_owner(|owned| {
        let scope = AssertUnwindSafe(|| {
            owned.scope(|scope| {
                scope
                    .submit(|_| resume_unwind(Box::new(text.len())))
                    .unwrap()
                    .detach();
            });
        });
        let caught = catch_unwind(scope).unwrap_err();
        (
            *caught.downcast::<usize>().unwrap(),
            owned.submit(|own| own.send(1)).unwrap().result(),
        )
    });
    assert_eq!(raised, (9, Ok(1)), "the owner goes on");
}

#[test]
fn a_panic_of_the_body_waits_for_the_tasks() {
    let mut buffer = [0; 3];
    let caught = with_owner(|owned| {
        let scope = AssertUnwindSafe(|| {
            owned.scope(|scope| {
                for (place, number) in buffer.iter_mut().zip(1..) {
                    let task = move |own: &mut Connection| {
                        *place = own.send(number);
                        panic!("of a task");
                    };
                    scope.submit(task).unwrap().detach();
                }
                panic!("of the body");
            });
        });
        catch_unwind(scope).unwrap_err()
    });
    assert_eq!(message(&*caught), "of the body");
    assert_eq!(buffer, [1, 2, 3]);
}

#[test]
fn a_panic_of_the_body_cancels_what_no_owner_is_there_for() {
    let (count, owned) = (Arc::default(), Owned::<u32, 2>::new());
    let scope = AssertUnwindSafe(|| {
        owned.scope(|scope| {
            let counted = Counted::new(&count);
            scope.submit(move |_| drop(counted)).unwrap().detach();
            panic!("of the body");
        });
    });
    assert_eq!(message(&*catch_unwind(scope).unwrap_err()), "of the body");
    assert_eq!((drops(&count), owned.stats().slots_in_use), (1, 0));
}

#[test]
fn a_forgotten_handle_costs_a_slot_and_the_scope_returns() {
    let (count, owned) = (Arc::default(), Owned::<u32, 2>::new());
    let (mut worker, local) = (owned.worker().unwrap(), 7);
    owned.scope(|scope| {
        let counted = Counted::new(&count);
        let task = move |own: &mut u32| {
            *own += local;
            counted
        };
        core::mem::forget(scope.submit(task).unwrap());
        assert_eq!(worker.run_one(&mut 1), Ran::Task);
    });
    assert_eq!(
        (drops(&count), owned.stats().slots_in_use),
        (0, 1),
        "its result is lost"
    );
    owned.scope(|scope| {
        core::mem::forget(scope.submit(|own| *own + local).unwrap());
        drop(worker);
    });
    assert_eq!(owned.stats().slots_in_use, 2);
}

#[test]
fn a_task_submits_to_its_own_scope() {
    fn chain<'scope>(scope: OwnedScope<'scope, '_, Connection>, sent: &'scope [u32]) {
        let Some((first, rest)) = sent.split_first() else {
            return;
        };
        let task = move |own: &mut Connection| {
            own.send(*first);
            chain(scope, rest);
        };
        scope.submit(task).unwrap().detach();
    }
    let numbers: Vec<_> = (0..20).collect();
    let sent = with_owner(|owned| {
        owned.scope(|scope| chain(scope, &numbers));
        owned.submit(|own| own.sent()).unwrap().result()
    });
    assert_eq!(sent, Ok(numbers));
}

#[test]
fn handles_of_a_scope_and_of_others_mix() {
    let (local, pool) = (7, Executor::<0, 2>::new());
    let sum = with_owner(|owned| {
        owned.scope(|scope| {
            let handles = [
                scope.submit(|own| own.send(local)).unwrap(),
                owned.submit(|own| own.send(1)).unwrap(),
                pool.submit(|| 40).unwrap(),
                scope.submit_stoppable(|own, _| own.send(local)).unwrap(),
            ];
            as_completed(handles)
                .map(|handle| handle.result().unwrap())
                .sum::<usize>()
        })
    });
    assert_eq!(sum, 1 + 2 + 3 + 40);
}

#[test]
fn an_inline_wait_for_a_borrowing_task_waits_for_the_owner() {
    let local = [1, 2, 3];
    let results = with_owner(|owned| {
        owned.scope(|scope| {
            // `send` panics in another thread than the owner's.
            let handles = local
                .each_ref()
                .map(|n| scope.submit(|own| own.send(*n)).unwrap());
            handles.map(|handle| handle.result_inline())
        })
    });
    assert_eq!(results, [Ok(1), Ok(2), Ok(3)]);
}

#[test]
fn a_running_task_of_a_scope_is_asked_to_stop() {
    let pattern = [u32::MAX];
    let stopped = with_owner(|owned| {
        owned.scope(|scope| {
            let listen = scope.submit_stoppable(|own, stop| {
                while !stop.requested() {
                    own.send(pattern[0]);
                }
                own.sent().is_empty()
            });
            let listen = listen.unwrap();
            while !listen.running() {
                thread::yield_now();
            }
            listen.cancel_sync()
        })
    });
    assert!(stopped.is_ok());
}

#[test]
fn a_cancelled_task_of_a_scope_is_dropped_at_once() {
    let (count, owned) = (Arc::default(), Owned::<u32, 2>::new());
    let _worker = owned.worker().unwrap();
    owned.scope(|scope| {
        let counted = Counted::new(&count);
        let handle = scope.submit(move |_| drop(counted)).unwrap();
        assert!(handle.cancel());
        assert_eq!(drops(&count), 1);
    });
    assert_eq!(owned.stats().slots_in_use, 0);
}

#[test]
fn a_task_of_a_pool_has_a_scope_of_an_owner() {
    static POOL: Executor<1, 4> = Executor::new();
    static OWNED: Owned<Connection, 4> = Owned::new();
    let threads = StdThreads::new();
    let outer = POOL.submit(|| {
        let buffer = [1, 2, 3];
        OWNED.scope(|scope| {
            let send = |own: &mut Connection| buffer.iter().map(|n| own.send(*n)).sum::<usize>();
            scope.submit(send).unwrap().result()
        })
    });
    let ran = OWNED.run(
        &threads,
        || Ok(Connection::new()),
        |_| POOL.run(&threads, |_| ()),
    );
    ran.unwrap().unwrap();
    assert_eq!(outer.unwrap().result(), Ok(Ok(6)));
}

#[test]
fn a_scope_of_a_pool_and_one_of_an_owner_nest() {
    let pool: Executor<1, 4> = Executor::new();
    let mut buffer = [0; 2];
    let threads = StdThreads::new();
    with_owner(|owned| {
        let ran = pool.run(&threads, |pool| {
            pool.scope(|outer| {
                for place in &mut buffer {
                    let task = move || {
                        let fill = |own: &mut Connection| *place = own.send(1);
                        owned.scope(|inner| inner.submit(fill).unwrap().detach());
                    };
                    outer.submit(task).unwrap().detach();
                }
            });
        });
        ran.unwrap();
    });
    buffer.sort_unstable();
    assert_eq!(buffer, [1, 2]);
}

#[test]
fn a_scope_of_a_level_comes_first() {
    type Host = Ordered<StdHost, Levels<2>>;
    let owned: Owned<Vec<u32>, 4, 64, Host> = Owned::new();
    let (mut worker, mut order, local) = (owned.worker().unwrap(), vec![], 2);
    owned.submit(|own| own.push(1)).unwrap().detach();
    owned.level::<1>().scope(|scope| {
        scope.submit(|own| own.push(local)).unwrap().detach();
        scope
            .submit_stoppable(|own, _| own.push(local + 1))
            .unwrap()
            .detach();
        while worker.run_one(&mut order) == Ran::Task {}
    });
    assert_eq!(order, [2, 3, 1]);
}

#[test]
fn a_handle_of_a_scope_is_dropped_after_the_task_was_cancelled() {
    let owned: Owned<u32, 2> = Owned::new();
    let local = 7;
    let state = owned.scope(|scope| {
        let handle: JoinHandle<'_, u32> = scope.submit(|own| *own + local).unwrap();
        let canceller = handle.canceller();
        assert!(canceller.cancel());
        (handle.cancelled(), handle.result())
    });
    assert_eq!(state, (true, Err(TaskError::Cancelled)));
}
