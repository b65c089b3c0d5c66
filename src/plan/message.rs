//! A text that a constant can spell: what the compiler prints if a plan does not hold.
#![forbid(unsafe_code)]

use core::fmt;

/// The bytes of the longest text: three names, their numbers, and the words.
const BYTES: usize = 256;

/// How much of a name a text shows.
const NAME_BYTES: usize = 40;

/// From here on a time is told in microseconds; below, in nanoseconds.
const MICROSECONDS_FROM: u64 = 10_000;

/// A text of at most [`BYTES`] bytes; what does not fit is left out.
pub(super) struct Message {
    bytes: [u8; BYTES],
    length: usize,
}

impl Message {
    pub(super) const fn new() -> Self {
        Self {
            bytes: [0; BYTES],
            length: 0,
        }
    }

    pub(super) const fn text(self, text: &str) -> Self {
        self.first_bytes(text, text.len())
    }

    /// A name of the user's, which may be long.
    pub(super) const fn name(self, name: &str) -> Self {
        let bytes = name.as_bytes();
        let mut end = bytes.len();
        if end > NAME_BYTES {
            end = NAME_BYTES;
            // A character has at most four bytes.
            while bytes[end] & 0b1100_0000 == 0b1000_0000 {
                end -= 1;
            }
        }
        self.first_bytes(name, end)
    }

    const fn first_bytes(mut self, text: &str, end: usize) -> Self {
        let text = text.as_bytes();
        if end <= BYTES - self.length {
            let mut index = 0;
            while index < end {
                self.bytes[self.length] = text[index];
                self.length += 1;
                index += 1;
            }
        }
        self
    }

    pub(super) const fn number(mut self, number: u64) -> Self {
        let mut digits = [0_u8; 20];
        let mut first = digits.len();
        let mut rest = number;
        // A number of 64 bits has at most twenty digits.
        loop {
            first -= 1;
            digits[first] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        while first < digits.len() && self.length < BYTES {
            self.bytes[self.length] = digits[first];
            self.length += 1;
            first += 1;
        }
        self
    }

    /// A bound and its limit, each followed by its words, in one unit: the bound rounded up, the
    /// limit rounded down, so that a bound beyond the limit is seen to be.
    pub(super) const fn times(self, bound: u64, between: &str, limit: u64) -> Self {
        if bound < MICROSECONDS_FROM {
            let text = self.number(bound).text(" ns").text(between);
            text.number(limit).text(" ns")
        } else {
            let text = self.number(bound.div_ceil(1000)).text(" us").text(between);
            text.number(limit / 1000).text(" us")
        }
    }

    pub(super) const fn as_str(&self) -> &str {
        match core::str::from_utf8(self.bytes.split_at(self.length).0) {
            Ok(text) => text,
            Err(_) => "plan: the text is not UTF-8",
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spelled_from_the_first_digit_to_the_last() {
        for number in [0, 9, 10, 5690, u64::MAX] {
            let text = Message::new().number(number);
            assert_eq!(text.as_str(), std::format!("{number}"));
        }
    }

    #[test]
    fn a_bound_is_rounded_up_and_its_limit_down() {
        let times = |bound, limit| std::format!("{}", Message::new().times(bound, " of ", limit));
        assert_eq!(times(5_000_001, 5_000_000), "5001 us of 5000 us");
        assert_eq!(times(10_000, 9_999), "10 us of 9 us");
        assert_eq!(times(9_999, 9_998), "9999 ns of 9998 ns");
    }

    #[test]
    fn a_long_name_ends_with_a_whole_character() {
        let long = "é".repeat(30);
        assert_eq!(Message::new().name(&long).as_str(), "é".repeat(20));
        let shifted = std::format!("a{long}");
        let shown = std::format!("a{}", "é".repeat(19));
        assert_eq!(Message::new().name(&shifted).as_str(), shown);
        assert_eq!(Message::new().name("control").as_str(), "control");
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let mut text = Message::new();
        for _ in 0..BYTES / 10 + 2 {
            text = text.text("ten bytes ");
        }
        assert_eq!(text.as_str().len(), BYTES / 10 * 10);
        text = text.number(u64::MAX);
        assert_eq!(text.as_str().len(), BYTES);
    }
}
