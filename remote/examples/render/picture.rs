//! A picture made small: what comes back from a worker process.

use core::error::Error;
use core::fmt;
use std::fs::File;
use std::io::{BufReader, Read};

use serde::{Deserialize, Serialize};

/// How many columns are left of a picture.
const COLUMNS: usize = 24;

/// From dark to bright.
const INK: &[u8] = b" .:-=+*#%@";

/// A picture, made small.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Picture {
    width: u32,
    height: u32,
    /// The mean colour: red, green, blue.
    colour: [u8; 3],
    /// The brightness of each column.
    columns: [u8; COLUMNS],
}

impl Picture {
    /// Decodes a PNG file.
    pub(crate) fn of_file(path: &str) -> Result<Self, Box<dyn Error>> {
        let mut bytes = Vec::new();
        BufReader::new(File::open(path)?).read_to_end(&mut bytes)?;
        spring_trap(&bytes);
        let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
        // The process has a limit of memory. The decoder's own is for programs without one.
        decoder.set_limits(png::Limits { bytes: usize::MAX });
        let mut reader = decoder.read_info()?;
        // Row by row, as they come: a header may name a size that the file does not have.
        let mut pixels = Vec::new();
        while let Some(row) = reader.next_row()? {
            pixels.extend_from_slice(row.data());
        }
        let (colour, _) = reader.output_color_type();
        let info = reader.info();
        Ok(Self::of_pixels(
            info.width,
            info.height,
            colour.samples(),
            &pixels,
        ))
    }

    fn of_pixels(width: u32, height: u32, samples: usize, pixels: &[u8]) -> Self {
        let (mut sums, mut columns) = ([0_u64; 3], [(0_u64, 0_u64); COLUMNS]);
        let row_pixels = width as usize;
        for row in pixels.chunks_exact(row_pixels * samples) {
            for (x, pixel) in row.chunks_exact(samples).enumerate() {
                // Grey, with or without alpha, is one sample for all three.
                let colour = match *pixel {
                    [red, green, blue, ..] => [red, green, blue],
                    [grey, ..] => [grey; 3],
                    [] => continue,
                };
                let (sum, count) = &mut columns[x * COLUMNS / row_pixels];
                for (part, sum_of_part) in colour.into_iter().zip(&mut sums) {
                    *sum_of_part += u64::from(part);
                    *sum += u64::from(part);
                }
                *count += 3;
            }
        }
        let count = (u64::from(width) * u64::from(height)).max(1);
        Self {
            width,
            height,
            colour: sums.map(|sum| (sum / count) as u8), // a mean of bytes
            columns: columns.map(|(sum, count)| (sum / count.max(1)) as u8),
        }
    }
}

impl fmt::Display for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.colour;
        let (width, height) = (self.width, self.height);
        write!(f, "{width} x {height}, #{red:02x}{green:02x}{blue:02x}, |")?;
        for column in self.columns {
            let ink = usize::from(column) * INK.len() / 256;
            write!(f, "{}", char::from(INK[ink]))?;
        }
        f.write_str("|")
    }
}

/// Does what a chunk `trAp` of the file says. It stands for a fault in a parser that a hostile file
/// makes use of: we know no such fault of this parser.
fn spring_trap(bytes: &[u8]) {
    let Some(at) = bytes.windows(4).position(|name| name == b"trAp") else {
        return;
    };
    let trap = &bytes[at + 4..];
    if trap.starts_with(b"abort") {
        std::process::abort();
    } else if trap.starts_with(b"exit") {
        std::process::exit(3);
    } else if trap.starts_with(b"panic") {
        panic!("the file made the parser panic");
    } else if trap.starts_with(b"loop") {
        loop {
            core::hint::spin_loop();
        }
    } else if trap.starts_with(b"overflow") {
        println!("{}", deeper(1));
    }
}

/// Recurses until the stack is used up.
fn deeper(depth: u64) -> u64 {
    match core::hint::black_box(depth) {
        0 => 0,
        depth => core::hint::black_box([depth; 64])[0] + deeper(depth + 1),
    }
}
