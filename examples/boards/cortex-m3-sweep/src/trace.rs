//! Proves that a sweep leaves out no instruction: each shot comes at a successor of the place
//! before.

use crate::shot::{Hit, pendsv};

/// The halfwords of flash that the map covers: the first 256 KiB.
const HALFWORDS: usize = 128 * 1024;

/// All places hit so far, one bit each.
pub(crate) struct Places {
    seen: [u32; HALFWORDS / 32],
    pub(crate) count: u32,
}

impl Places {
    pub(crate) const fn new() -> Self {
        Self {
            seen: [0; HALFWORDS / 32],
            count: 0,
        }
    }

    fn add(&mut self, place: u32) {
        let halfword = place as usize / 2;
        let (word, bit) = (&mut self.seen[halfword / 32], 1 << (halfword % 32));
        self.count += u32::from(*word & bit == 0);
        *word |= bit;
    }
}

/// The sweep over one operation.
pub(crate) struct Trace {
    last: Option<u32>,
    /// Instructions before which the timer ran out.
    pub(crate) instructions: u32,
    /// Instructions before which the interrupt came. While interrupts are off, it comes later.
    pub(crate) interleavings: u32,
}

impl Trace {
    pub(crate) const fn new() -> Self {
        Self {
            last: None,
            instructions: 0,
            interleavings: 0,
        }
    }

    /// Records the next hit. Returns false if the operation had returned: the sweep is over.
    ///
    /// # Panics
    ///
    /// If the sweep left out an instruction.
    pub(crate) fn note(&mut self, hit: Hit, places: &mut Places) -> bool {
        if let Some(last) = self.last {
            // The same place again: the interrupt waited until interrupts were on.
            let next = last == hit.place || follows(last, hit.place);
            assert!(
                next,
                "an instruction between {last:#x} and {:#x} was left out",
                hit.place
            );
        }
        if hit.late {
            return false;
        }
        self.instructions += 1;
        if self.last != Some(hit.place) {
            self.interleavings += 1;
            places.add(hit.place);
        }
        self.last = Some(hit.place);
        true
    }
}

fn halfword(place: u32) -> u32 {
    // SAFETY: the places come from exception frames: they are addresses of code, in flash, and
    // even.
    let value =
        unsafe { core::ptr::with_exposed_provenance::<u16>(place as usize).read_volatile() };
    value.into()
}

/// Extends the sign of a number of `bits` bits.
fn signed(number: u32, bits: u32) -> u32 {
    ((number << (32 - bits)) as i32 >> (32 - bits)) as u32
}

/// Returns true if the instruction at `next` can follow the one at `place`, by its encoding
/// (ARMv7-M, A5).
fn follows(place: u32, next: u32) -> bool {
    let (first, second) = (halfword(place), halfword(place + 2));
    let wide = first >= 0xe800;
    let after = place + if wide { 4 } else { 2 };
    let from = place + 4;
    let target = |offset: u32| next == from.wrapping_add(offset);
    // A request for PendSV takes effect after the store.
    if next == after || next == pendsv() {
        return true;
    }
    match (first, second) {
        // cpsid i: no interrupt until cpsie i, or a write of PRIMASK.
        (0xb672, _) => {
            halfword(next - 2) == 0xb662
                || (halfword(next - 4) & 0xfff0 == 0xf380 && halfword(next - 2) == 0x8810)
        }
        // b, with and without a condition
        (0xd000..=0xddff, _) => target(signed(first << 1, 9)),
        (0xe000..=0xe7ff, _) => target(signed(first << 1, 12)),
        // cbz, cbnz
        _ if first & 0xf500 == 0xb100 => target((first >> 3 & 0x1f) << 1 | (first >> 9 & 1) << 6),
        // bx, blx; pop, add and mov to the program counter
        (0x4700..=0x47ff | 0xbd00..=0xbdff, _) => true,
        _ if first & 0xfd87 == 0x4487 => true,
        // b.w with a condition
        (0xf000..=0xf7ff, _) if second & 0xd000 == 0x8000 => {
            let high = (first & 0x3f) << 12 | (second & 0x7ff) << 1;
            let (j1, j2, sign) = (second >> 13 & 1, second >> 11 & 1, first >> 10 & 1);
            target(signed(sign << 20 | j2 << 19 | j1 << 18 | high, 21))
        }
        // b.w, bl
        (0xf000..=0xf7ff, _) if second & 0x9000 == 0x9000 => {
            let sign = first >> 10 & 1;
            let (i1, i2) = (!(second >> 13 ^ sign) & 1, !(second >> 11 ^ sign) & 1);
            target(signed(
                sign << 24 | i1 << 23 | i2 << 22 | (first & 0x3ff) << 12 | (second & 0x7ff) << 1,
                25,
            ))
        }
        // tbb, tbh; loads of the program counter, alone and with others
        _ if first & 0xfff0 == 0xe8d0 && second & 0xffe0 == 0xf000 => true,
        _ if first & 0xff70 == 0xf850 && second >> 12 == 0xf => true,
        _ if first & 0xfe50 == 0xe810 && second >> 15 == 1 => true,
        _ => false,
    }
}
