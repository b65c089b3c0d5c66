//! Puts a board behind a node: what this machine's pool submits, the board at a serial line runs.
//!
//! `gateway serve LINE` serves with the board at a line: the path of a serial device, or of a
//! socket that the board's emulator connects to. `gateway submit COUNT` submits so many tasks to
//! it.

#[cfg(unix)]
fn main() -> Result<(), Box<dyn core::error::Error>> {
    gateway::main()
}

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
mod gateway {
    use core::error::Error;
    use core::task::{Context, Poll, Waker};
    use core::time::Duration;
    use std::fs::File;
    use std::io::{self, Read, Write};
    use std::os::unix::net::UnixListener;
    use std::path::Path;
    use std::sync::Arc;
    use std::task::Wake;
    use std::thread::{self, Thread};
    use std::time::Instant;

    use serde::{Deserialize, Serialize};
    use slotted::Shutdown;
    use slotted_remote::nodes::{NodeOptions, Nodes};
    use slotted_remote::{Link, Task, Timing, frame_bytes};

    /// Where the gateway listens.
    const ENDPOINT: &str = "tcp/127.0.0.1:7448";
    /// What fits a frame of the board.
    const BYTES: usize = 64;
    /// A frame that the board did not answer for so many milliseconds is sent again. A board that
    /// is silent for ten seconds though it has a call is lost.
    const TIMING: Timing = Timing::resend_after(50).lost_after(10_000);
    const HELP: &str = "usage: gateway serve LINE | gateway submit COUNT";

    /// The energy of a block of samples, as the board knows it.
    #[derive(Serialize, Deserialize)]
    struct Energy {
        boot: u32,
        number: u32,
        samples: [i16; 8],
    }

    impl Task for Energy {
        const NAME: &str = "energy/1";
        type Output = u64;

        fn run(self) -> u64 {
            unreachable!("the board runs it")
        }
    }

    static BOARD: Link<4, BYTES> = Link::new();
    static POOL: Nodes<1, 16, BYTES> = Nodes::new();

    pub(crate) fn main() -> Result<(), Box<dyn Error>> {
        let mut arguments = std::env::args().skip(1);
        match (arguments.next().as_deref(), arguments.next()) {
            (Some("serve"), Some(line)) => serve(Path::new(&line)),
            (Some("submit"), Some(count)) => submit(count.parse()?),
            _ => Err(HELP.into()),
        }
    }

    fn serve(line: &Path) -> Result<(), Box<dyn Error>> {
        let config = slotted_zenoh::peer(&[ENDPOINT], &[])?;
        let node = slotted_zenoh::serve(&BOARD, "boards", config, NodeOptions::new())?;
        let began = Instant::now();
        let nonce = std::time::UNIX_EPOCH.elapsed()?.subsec_nanos();
        BOARD.open(nonce, TIMING);
        let (mut read, write): (Box<dyn Read>, Box<dyn Write + Send>) = if line.exists() {
            (
                Box::new(File::open(line)?),
                Box::new(File::options().write(true).open(line)?),
            )
        } else {
            let listener = UnixListener::bind(line)?;
            println!("a board may connect to {}", line.display());
            let (board, _) = listener.accept()?;
            std::fs::remove_file(line)?;
            (Box::new(board.try_clone()?), Box::new(board))
        };
        thread::spawn(move || drive(write, began));
        let mut bytes = [0; 256];
        loop {
            match read.read(&mut bytes) {
                Ok(0) => break,
                Ok(len) => bytes[..len]
                    .iter()
                    .for_each(|&byte| BOARD.push(ticks(began), byte)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        drop(node);
        println!("the board is gone");
        Ok(())
    }

    /// Milliseconds.
    fn ticks(began: Instant) -> u64 {
        began.elapsed().as_millis() as u64 // an age of the earth fits
    }

    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    /// Writes the frames of the link to the line.
    fn drive(mut line: Box<dyn Write + Send>, began: Instant) {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut frame = [0; frame_bytes(BYTES)];
        loop {
            let now = ticks(began);
            match BOARD.poll_next(&mut Context::from_waker(&waker), now, &mut frame) {
                Poll::Ready(len) => {
                    if line.write_all(&frame[..len]).is_err() {
                        return;
                    }
                }
                Poll::Pending => match BOARD.next_at() {
                    Some(at) => thread::park_timeout(Duration::from_millis(at.saturating_sub(now))),
                    None => thread::park(),
                },
            }
        }
    }

    fn submit(count: u32) -> Result<(), Box<dyn Error>> {
        slotted_zenoh::start(&POOL, "boards", slotted_zenoh::peer(&[], &[ENDPOINT])?)?;
        let block = |number: u32| core::array::from_fn(|at| (number as usize * 100 + at) as i16);
        let blocks = (0..count).map(|number| Energy {
            boot: 0,
            number,
            samples: block(number),
        });
        for (number, energy) in (0..).zip(POOL.map(blocks)) {
            let squares = block(number).map(|sample: i16| i64::from(sample).pow(2) as u64);
            if energy? != squares.iter().sum::<u64>() {
                return Err(format!("the energy of block {number} is wrong").into());
            }
        }
        println!("the board computed the energies of {count} blocks, all right");
        POOL.shutdown(Shutdown::Drain)?;
        Ok(())
    }
}
