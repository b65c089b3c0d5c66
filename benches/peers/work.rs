//! What the tasks do, and how the suite times them.

use core::hint::black_box;
use std::time::{Duration, Instant};

/// Rounds in [`work`].
const STEPS: u32 = 85;

/// Takes about 170 ns. The compiler cannot shorten it, because each step needs the one before.
#[inline(never)]
pub fn work(seed: u64) -> u64 {
    chain(seed, STEPS)
}

/// `steps` rounds of about 2 ns. Each is more than a multiplication: the compiler would fold two
/// multiplications by constants into one.
#[inline]
pub fn chain(seed: u64, steps: u32) -> u64 {
    let mut value = seed;
    for _ in 0..black_box(steps) {
        value = (value ^ (value >> 29)).wrapping_mul(0x5851_F42D_4C95_7F2D);
    }
    value
}

/// A fixed sequence that looks random (SplitMix64).
pub fn random(seed: u64) -> u64 {
    let mut value = seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// Spins for the duration of `pause`, without giving up the processor.
pub fn spin(pause: Duration) {
    let began = Instant::now();
    while began.elapsed() < pause {
        core::hint::spin_loop();
    }
}

pub fn nanoseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}

/// The value below which a `share` of the samples lies. Sorts them.
pub fn quantile(samples: &mut [f64], share: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    let last = samples.len() - 1;
    samples[((samples.len() as f64 * share) as usize).min(last)]
}

/// The middle sample, or the mean of the two in the middle. Sorts them.
pub fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    let half = samples.len() / 2;
    if samples.len() % 2 == 1 {
        samples[half]
    } else {
        f64::midpoint(samples[half - 1], samples[half])
    }
}
