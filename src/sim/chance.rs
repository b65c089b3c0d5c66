//! Numbers from a seed: the same on every machine.

/// `SplitMix64`, of Steele, Lea and Flood: 64 bits of state, any seed is good.
#[derive(Clone, Debug)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `count`, which is at least 1. For so few numbers as there are threads, each
    /// comes about equally often.
    pub(super) fn below(&mut self, count: usize) -> usize {
        // The upper half of the bits, scaled. The result is below `count`, so it fits.
        (((self.next() >> 32) * count as u64) >> 32) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::Chance;

    /// The first numbers of the published generator with seed 1234567.
    #[test]
    fn the_numbers_are_those_of_the_published_generator() {
        let mut chance = Chance::new(1_234_567);
        let numbers = [(); 3].map(|()| chance.next());
        assert_eq!(
            numbers,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn each_number_below_the_bound_is_drawn() {
        let mut chance = Chance::new(7);
        let mut drawn = [0; 3];
        for _ in 0..3000 {
            drawn[chance.below(3)] += 1;
        }
        assert!(drawn.iter().all(|&times| times > 900), "{drawn:?}");
    }
}
