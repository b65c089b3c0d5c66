//! What a bad line does to bytes. A seed decides, so that each run does the same to the same bytes.

use std::time::Duration;

/// How bad a line is: one byte in so many. 0: never.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noise {
    /// Lost, flipped or doubled: as often each.
    changed: u64,
    /// Late, with all bytes behind it.
    late: u64,
}

impl Noise {
    pub(crate) const NONE: Self = Self {
        changed: 0,
        late: 0,
    };

    pub(crate) const fn one_in(bytes: u64) -> Self {
        Self {
            changed: bytes,
            late: 10 * bytes,
        }
    }
}

/// How many bytes met which fate.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fates {
    pub(crate) passed: u32,
    /// Ends of frames, as the boards sent them.
    pub(crate) frames: u32,
    pub(crate) lost: u32,
    pub(crate) flipped: u32,
    pub(crate) doubled: u32,
    pub(crate) late: u32,
}

/// One direction of a line.
#[derive(Debug)]
pub(crate) struct Direction {
    noise: Noise,
    numbers: Numbers,
    pub(crate) fates: Fates,
}

impl Direction {
    pub(crate) fn new(noise: Noise, seed: u64) -> Self {
        Self {
            noise,
            numbers: Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            fates: Fates::default(),
        }
    }

    /// What comes out for a byte, how often, and how late it and those behind it are.
    pub(crate) fn pass(&mut self, byte: u8) -> (u8, usize, Duration) {
        let mut delay = Duration::ZERO;
        if self.numbers.once_in(self.noise.late) {
            self.fates.late += 1;
            delay = Duration::from_millis(1 + self.numbers.next() % 20);
        }
        self.fates.passed += 1;
        self.fates.frames += u32::from(byte == 0);
        if !self.numbers.once_in(self.noise.changed) {
            return (byte, 1, delay);
        }
        match self.numbers.next() % 3 {
            0 => {
                self.fates.lost += 1;
                (byte, 0, delay)
            }
            1 => {
                self.fates.flipped += 1;
                (byte ^ 1 << (self.numbers.next() % 8), 1, delay)
            }
            _ => {
                self.fates.doubled += 1;
                (byte, 2, delay)
            }
        }
    }
}

/// A generator of numbers: xorshift64*.
#[derive(Debug)]
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// Returns true once in `times`; never for 0.
    fn once_in(&mut self, times: u64) -> bool {
        times != 0 && self.next().is_multiple_of(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(seed: u64) -> Vec<(u8, usize, Duration)> {
        let mut direction = Direction::new(Noise::one_in(50), seed);
        (0..10_000).map(|byte| direction.pass(byte as u8)).collect()
    }

    #[test]
    fn a_seed_decides_what_happens_to_each_byte() {
        assert_eq!(fates(1), fates(1));
        assert_ne!(fates(1), fates(2));
    }

    #[test]
    fn about_one_byte_in_so_many_is_changed_and_each_fate_occurs() {
        let mut direction = Direction::new(Noise::one_in(50), 1);
        for byte in 0..100_000 {
            direction.pass(byte as u8);
        }
        let Fates {
            lost,
            flipped,
            doubled,
            late,
            ..
        } = direction.fates;
        assert!((1_900..2_100).contains(&(lost + flipped + doubled)));
        assert!(lost > 600 && flipped > 600 && doubled > 600 && late > 150);
    }

    #[test]
    fn a_good_line_changes_nothing() {
        let mut direction = Direction::new(Noise::NONE, 1);
        assert!((0..=255).all(|byte| direction.pass(byte) == (byte, 1, Duration::ZERO)));
    }
}
