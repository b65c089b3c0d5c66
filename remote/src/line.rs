//! Frames on a line that loses, flips, doubles and delays bytes.
//!
//! A frame is its checksum, its header and its body, in COBS: no byte of it is 0, and a 0 ends it.
//! So a receiver that lost its place finds the next frame by itself.

use cobs::{CobsEncoder, DecodeResult, DecoderState};
use crc::{CRC_32_ISO_HDLC, Crc};

use crate::frame::{HEADER, Header};

/// A board has little flash, and its line is slow.
#[cfg(not(feature = "std"))]
type Method = crc::NoTable;

#[cfg(feature = "std")]
type Method = crc::Table<1>;

static CRC: Crc<u32, Method> = Crc::<u32, Method>::new(&CRC_32_ISO_HDLC);

/// Bytes before the body: checksum and header.
const HEAD: usize = 4 + HEADER;

/// The most bytes on the line of a frame with a body of at most `bytes`.
///
/// ```
/// use slotted_remote::frame_bytes;
///
/// let mut frame = [0; frame_bytes(64)];
/// assert_eq!(frame.len(), 84);
/// # frame[0] = 1;
/// ```
#[must_use]
pub const fn frame_bytes(bytes: usize) -> usize {
    let plain = HEAD + bytes;
    // COBS adds a byte to each 254, and at least one; the zero ends the frame.
    plain + plain.div_ceil(254) + 1
}

fn checksum(header: &[u8], body: &[u8]) -> u32 {
    let mut digest = CRC.digest();
    digest.update(header);
    digest.update(body);
    digest.finalize()
}

/// Writes a frame to the front of `out`. Returns how long it is, or `None` if it does not fit.
pub(crate) fn encode(header: &Header, body: &[u8], out: &mut [u8]) -> Option<usize> {
    let header = header.to_bytes();
    let mut encoder = CobsEncoder::new(out);
    encoder.push(&checksum(&header, body).to_le_bytes()).ok()?;
    encoder.push(&header).ok()?;
    encoder.push(body).ok()?;
    let len = encoder.finalize();
    *out.get_mut(len)? = 0;
    Some(len + 1)
}

/// Finds frames in the bytes of a line.
pub(crate) struct Receiver<const BYTES: usize> {
    decoder: DecoderState,
    head: [u8; HEAD],
    body: [u8; BYTES],
    /// Bytes of the frame that have come.
    len: usize,
    /// True if the frame is to be dropped: it is too long, or none.
    is_bad: bool,
    /// Frames that were dropped.
    dropped: u32,
}

impl<const BYTES: usize> Receiver<BYTES> {
    pub(crate) const fn new() -> Self {
        Self {
            decoder: DecoderState::Idle,
            head: [0; HEAD],
            body: [0; BYTES],
            len: 0,
            is_bad: false,
            dropped: 0,
        }
    }

    /// How many frames were dropped because bytes of them were wrong or missing.
    pub(crate) fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Takes the next byte. Returns the frame that it ends.
    pub(crate) fn push(&mut self, byte: u8) -> Option<(Header, &[u8])> {
        match self.decoder.feed(byte) {
            Ok(DecodeResult::NoData) => None,
            Ok(DecodeResult::DataContinue(byte)) => {
                let place = match self.len.checked_sub(HEAD) {
                    None => self.head.get_mut(self.len),
                    Some(at) => self.body.get_mut(at),
                };
                match place {
                    Some(place) => *place = byte,
                    None => self.is_bad = true,
                }
                self.len = self.len.saturating_add(1);
                None
            }
            Ok(DecodeResult::DataComplete) => {
                let (is_bad, len) = (self.is_bad, self.len);
                (self.is_bad, self.len) = (false, 0);
                if is_bad {
                    self.dropped = self.dropped.wrapping_add(1);
                    return None;
                }
                let header = self.check(len);
                if header.is_none() {
                    self.dropped = self.dropped.wrapping_add(1);
                }
                Some((header?, &self.body[..len - HEAD]))
            }
            Err(_) => {
                (self.is_bad, self.len) = (false, 0);
                self.dropped = self.dropped.wrapping_add(1);
                None
            }
        }
    }

    /// The header of a frame of `len` bytes that is whole.
    fn check(&self, len: usize) -> Option<Header> {
        let body = &self.body[..len.checked_sub(HEAD)?];
        let (sum, header) = self.head.split_first_chunk::<4>()?;
        if u32::from_le_bytes(*sum) != checksum(header, body) {
            return None;
        }
        Header::from_bytes(header.first_chunk()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Kind;

    const HEADER: Header = Header {
        kind: Kind::Call,
        lane: 3,
        session: 0,
        sequence: 0x100,
        id: 7,
    };

    fn received<const BYTES: usize>(
        receiver: &mut Receiver<BYTES>,
        bytes: &[u8],
    ) -> Vec<(Header, Vec<u8>)> {
        let mut frames = Vec::new();
        for &byte in bytes {
            if let Some((header, body)) = receiver.push(byte) {
                frames.push((header, body.to_vec()));
            }
        }
        frames
    }

    fn encoded<const LEN: usize>(body: &[u8]) -> Vec<u8> {
        let mut out = [0xee; LEN];
        let len = encode(&HEADER, body, &mut out).unwrap();
        out[..len].to_vec()
    }

    #[test]
    fn a_frame_comes_back_whole_at_every_length_and_fits_what_frame_bytes_says() {
        // Under Miri, only around the length at which COBS adds a byte.
        let lens = if cfg!(miri) { 230..240 } else { 0..600 };
        for len in lens {
            for fill in [0, 1, 0xff] {
                let body = vec![fill; len];
                let mut out = vec![0; frame_bytes(len)];
                let used = encode(&HEADER, &body, &mut out).unwrap();
                let mut receiver = Receiver::<600>::new();
                assert_eq!(received(&mut receiver, &out[..used]), [(HEADER, body)]);
            }
        }
    }

    #[test]
    fn a_frame_that_does_not_fit_the_buffer_is_not_written() {
        let whole = encoded::<100>(&[1; 20]).len();
        for len in 0..whole {
            let mut out = vec![0; len];
            assert_eq!(encode(&HEADER, &[1; 20], &mut out), None);
        }
    }

    #[test]
    fn a_body_that_is_too_long_is_dropped_and_the_next_frame_comes() {
        let mut bytes = encoded::<100>(&[1; 17]);
        bytes.extend(encoded::<100>(&[2; 16]));
        let mut receiver = Receiver::<16>::new();
        assert_eq!(received(&mut receiver, &bytes), [(HEADER, vec![2; 16])]);
        assert_eq!(receiver.dropped(), 1);
    }

    /// Each byte before the zero lost, and each bit of them flipped. What is left is never taken
    /// for a frame. The frame after the next zero is.
    #[test]
    fn a_frame_with_a_lost_byte_or_a_flipped_bit_is_dropped() {
        let whole = encoded::<100>(b"the body");
        let step = if cfg!(miri) { 5 } else { 1 };
        for at in (0..whole.len() - 1).step_by(step) {
            for bit in 0..=8 {
                let mut bytes = whole.clone();
                match bit {
                    8 => drop(bytes.remove(at)),
                    bit => bytes[at] ^= 1 << bit,
                }
                bytes.push(0);
                bytes.extend(&whole);
                let mut receiver = Receiver::<64>::new();
                assert_eq!(
                    received(&mut receiver, &bytes),
                    [(HEADER, b"the body".to_vec())],
                    "byte {at}, bit {bit}"
                );
            }
        }
    }
}
