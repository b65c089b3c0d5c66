//! Submits tasks that borrow from the caller's stack: `cargo run --example scope`.

use slotted::{Executor, StdThreads};

fn main() {
    let executor: Executor<4, 16> = Executor::new();
    let text = String::from("the quick brown fox jumps over the lazy dog");
    let mut samples: Vec<u32> = (0..1000).collect();

    executor
        .run(&StdThreads::new(), |pool| {
            // Both tasks borrow their half of the text, without a clone.
            let (left, right) = text.split_at(text.len() / 2);
            let vowels = |text: &str| {
                text.chars()
                    .filter(|letter| "aeiou".contains(*letter))
                    .count()
            };
            let total = pool.scope(|s| {
                let left = s.submit(|| vowels(left)).expect("a slot");
                let right = s.submit(|| vowels(right)).expect("a slot");
                left.result().expect("a count") + right.result().expect("a count")
            });
            println!("{total} vowels in {text:?}");
            assert_eq!(total, 11);

            // Changes a slice in place, with 64 elements per task. The scope returns after the last
            // task has ended.
            pool.scope(|s| {
                s.for_each_chunk(&mut samples, 64, |chunk| {
                    for sample in chunk {
                        *sample = *sample * *sample;
                    }
                })
                .expect("the executor takes tasks");
            });
            println!("samples: {:?} … {:?}", &samples[..5], &samples[995..]);
            assert!((0..1000).map(|n| n * n).eq(samples.iter().copied()));
        })
        .expect("four threads");
    println!("{}", executor.stats());
}
