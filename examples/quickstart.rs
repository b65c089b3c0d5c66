//! Submits closures to a `static` executor and takes their results:
//! `cargo run --example quickstart`.

use slotted::{Executor, Refusal, Shutdown, StdThreads};

/// Two workers and eight slots. All of its memory is in `.bss`.
static POOL: Executor<2, 8> = Executor::new();

fn main() {
    // Python's `with ThreadPoolExecutor(2, thread_name_prefix="crunch") as pool:` is
    // `POOL.run(&threads, |pool| …)`.
    POOL.start(&StdThreads::new().prefix("crunch"))
        .expect("two threads");

    // A task captures what it needs. The handle is Python's `Future`.
    let base = 6;
    let product = POOL.submit(move || base * 7).expect("a slot is free");
    let product = product.result().expect("it does not panic");
    println!("6 * 7 = {product}");
    assert_eq!(product, 42);

    // Eight slots hold eight tasks. The executor refuses the ninth and returns its closure.
    let mut handles: Vec<_> = (1..=8_u64)
        .map(|n| POOL.submit(move || n * n).expect("a slot is free"))
        .collect();
    let refused = POOL.submit(|| 81).expect_err("every slot is taken");
    println!("the ninth task: {refused}");
    assert_eq!(refused.reason(), Refusal::Full);

    // A slot is free again after its task has ended and its handle is gone.
    let mut sum = handles.swap_remove(0).result().expect("1 * 1");
    handles.push(
        POOL.submit(refused.into_inner())
            .expect("a slot is free again"),
    );
    for handle in handles {
        sum += handle.result().expect("a square");
    }
    println!("1 * 1 + … + 9 * 9 = {sum}");
    assert_eq!(sum, 285);

    // A panic stays in its task.
    let error = POOL
        .submit(|| panic!("no such file"))
        .expect("a slot is free")
        .result()
        .expect_err("it panics");
    println!("a task that panics: {error}");
    assert!(error.is_panicked());

    POOL.shutdown(Shutdown::Drain)
        .expect("not called by a worker");
    println!("{}", POOL.stats());
    assert_eq!(POOL.stats().completed, 11);
}
