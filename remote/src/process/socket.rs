//! Frames on a socket: each is preceded by its length.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::frame::{HEADER, Header};

/// Bytes before a frame: its length.
const LENGTH: usize = 2;

/// Bytes that a frame with a body of `bytes` takes.
pub(super) const fn frame_len(bytes: usize) -> usize {
    LENGTH + HEADER + bytes
}

/// What is to be written to a socket.
#[derive(Debug)]
pub(super) struct Outgoing {
    socket: Arc<OwnedFd>,
    bytes: Vec<u8>,
}

impl Outgoing {
    /// With room for `frames` frames of `bytes`, so that pushing them allocates nothing.
    pub(super) fn new(socket: Arc<OwnedFd>, frames: usize, bytes: usize) -> Self {
        Self {
            socket,
            bytes: Vec::with_capacity(frames * frame_len(bytes)),
        }
    }

    pub(super) fn push(&mut self, header: &Header, body: &[u8]) {
        // A body fits 16 bits, with its header: `BYTES` is at most 65000.
        let len = (HEADER + body.len()) as u16;
        self.bytes.extend_from_slice(&len.to_le_bytes());
        self.bytes.extend_from_slice(&header.to_bytes());
        self.bytes.extend_from_slice(body);
    }

    /// Returns true if bytes are left that the socket did not take.
    pub(super) fn is_pending(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// Writes what the socket takes without waiting. A peer that is gone is found by reading.
    pub(super) fn flush(&mut self) {
        let mut written = 0;
        // Bound: each round writes a byte, or is the last but for interruptions.
        while written < self.bytes.len() {
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            match send(&self.socket, &self.bytes[written..], flags) {
                Ok(count) => written += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(_) => written = self.bytes.len(),
            }
        }
        self.bytes.drain(..written);
    }

    /// Tells the peer that nothing more will come.
    pub(super) fn shut_down(&self) {
        // A peer that is gone needs not be told.
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Write);
    }

    /// Writes all of it, and waits as long as that takes.
    pub(super) fn flush_blocking(&mut self) -> io::Result<()> {
        let mut written = 0;
        // Bound: each round writes a byte, but for interruptions.
        while written < self.bytes.len() {
            match send(&self.socket, &self.bytes[written..], SendFlags::NOSIGNAL) {
                Ok(count) => written += count,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.bytes.clear();
        Ok(())
    }
}

/// What a look at a socket found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// There are new bytes.
    Bytes,
    /// There are none now.
    Nothing,
    /// There will be none: the peer is gone.
    End,
}

/// What was read from a socket.
#[derive(Debug)]
pub(super) struct Incoming {
    socket: Arc<OwnedFd>,
    bytes: Vec<u8>,
    /// Bytes of `bytes` that hold something.
    len: usize,
}

impl Incoming {
    /// With room for `frames` frames of `bytes`.
    pub(super) fn new(socket: Arc<OwnedFd>, frames: usize, bytes: usize) -> Self {
        Self {
            socket,
            bytes: vec![0; frames * frame_len(bytes)],
            len: 0,
        }
    }

    /// Makes room for larger frames.
    pub(super) fn grow(&mut self, frames: usize, bytes: usize) {
        let len = frames * frame_len(bytes);
        self.bytes.resize(len.max(self.bytes.len()), 0);
    }

    /// Reads what is there, once. If `wait`, waits until something is.
    pub(super) fn receive(&mut self, wait: bool) -> Received {
        let flags = if wait {
            RecvFlags::empty()
        } else {
            RecvFlags::DONTWAIT
        };
        // Endless for a reason: only interruptions repeat it.
        loop {
            let room = &mut self.bytes[self.len..];
            if room.is_empty() {
                return Received::Bytes; // frames are to be taken first
            }
            return match recv(&self.socket, room, flags) {
                Ok((_, 0)) => Received::End,
                Ok((_, count)) => {
                    self.len += count;
                    Received::Bytes
                }
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => Received::Nothing,
                Err(_) => Received::End,
            };
        }
    }

    /// Calls `take` with each frame that is whole. Returns false if the bytes are no frames, or
    /// `take` returns false.
    pub(super) fn frames(&mut self, mut take: impl FnMut(&Header, &[u8]) -> bool) -> bool {
        let mut rest = &self.bytes[..self.len];
        let mut is_good = true;
        // Bound: the frames that were read.
        while let Some((length, frame)) = rest.split_first_chunk::<LENGTH>() {
            let len = usize::from(u16::from_le_bytes(*length));
            if len < HEADER || len > self.bytes.len() - LENGTH {
                is_good = false;
                break;
            }
            let Some((frame, after)) = frame.split_at_checked(len) else {
                break;
            };
            let header = frame.split_first_chunk::<HEADER>();
            let header = header.and_then(|(head, body)| Some((Header::from_bytes(head)?, body)));
            is_good = header.is_some_and(|(header, body)| take(&header, body));
            if !is_good {
                break;
            }
            rest = after;
        }
        let taken = self.len - rest.len();
        self.bytes.copy_within(taken..self.len, 0);
        self.len -= taken;
        is_good
    }
}
