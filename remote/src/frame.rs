//! What crosses a border: frames of a header and a body.
//!
//! All numbers are little-endian. How a frame is told from the next is said elsewhere: [`line`]
//! for lines of bytes, [`process`] for sockets.
//!
//! [`line`]: crate::line
//! [`process`]: crate::process

use slotted::error::RemoteError;

use crate::task::TaskId;

/// The version of the protocol. Ends of different versions do not work together, and say so.
///
/// ```
/// use slotted_remote::{PROTOCOL, RemoteError};
///
/// fn explain(error: RemoteError) -> String {
///     match error {
///         RemoteError::Version { theirs } => format!("version {PROTOCOL} here, {theirs} there"),
///         other => other.to_string(),
///     }
/// }
/// assert!(explain(RemoteError::Version { theirs: 9 }).ends_with("9 there"));
/// ```
pub const PROTOCOL: u8 = 1;

/// Bytes of a header.
pub(crate) const HEADER: usize = 14;

/// The most bytes of the body of a [`Hello`] or a [`Welcome`].
pub(crate) const GREETING: usize = 12;

/// Fails to compile if an end of a line cannot have so many calls of so many bytes.
pub(crate) const fn assert_sizes(calls: usize, bytes: usize) {
    assert!(
        calls > 0 && calls < 256,
        "slotted-remote: calls are numbered with 8 bits: choose CALLS from 1 to 255"
    );
    assert!(
        bytes >= GREETING && bytes <= 65_000,
        "slotted-remote: a frame holds a greeting, and its length is a number of 16 bits: choose \
         BYTES from 12 to 65000"
    );
}

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// A submitter begins a session. Body: [`Hello`].
    Hello = 1,
    /// A worker answers. Body: [`Welcome`].
    Welcome = 2,
    /// A submitter calls a task. Body: the argument.
    Call = 3,
    /// A submitter wants a call no more.
    Cancel = 4,
    /// A worker answers a call or its cancelling. `id` holds the [`Status`]. Body: the result, or
    /// the message of a panic.
    Reply = 5,
    /// A worker does not know the session of a call: it has restarted.
    Reset = 6,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// The body is the result.
    Done = 0,
    /// The worker knows no such task.
    Unknown = 1,
    /// The argument does not decode.
    BadBytes = 2,
    /// The result does not fit.
    TooLarge = 3,
    /// The task panicked. The body is the message.
    Panicked = 4,
    /// The submitter wanted the call no more, and it had not begun, or was ended.
    Cancelled = 5,
    /// What ran the call for the worker failed. The body says how.
    Failed = 6,
    /// The worker takes no more calls, and this one did not begin.
    Refused = 7,
}

impl Status {
    pub(crate) fn from_bits(bits: u32) -> Option<Self> {
        [
            Self::Done,
            Self::Unknown,
            Self::BadBytes,
            Self::TooLarge,
            Self::Panicked,
            Self::Cancelled,
            Self::Failed,
            Self::Refused,
        ]
        .get(bits as usize)
        .copied()
    }
}

/// The body of a reply whose call [`Failed`](Status::Failed).
#[cfg(feature = "nodes")]
pub(crate) const fn error_to_bytes(error: RemoteError) -> [u8; 2] {
    match error {
        RemoteError::Crashed { signal } => [0, signal],
        RemoteError::Exited { code } => [1, code],
        RemoteError::MemoryLimit => [2, 0],
        RemoteError::TimeLimit => [3, 0],
        RemoteError::Restarted => [5, 0],
        RemoteError::Unknown => [6, 0],
        RemoteError::Version { theirs } => [7, theirs],
        RemoteError::TooLarge => [8, 0],
        RemoteError::BadBytes => [9, 0],
        RemoteError::Panicked => [10, 0],
        // Of an error that this version does not know, no more than this can be told.
        _ => [4, 0],
    }
}

/// The error in the body of a reply: [`Lost`](RemoteError::Lost) if the body holds none.
pub(crate) const fn error_from_bytes(body: &[u8]) -> RemoteError {
    match *body {
        [0, signal] => RemoteError::Crashed { signal },
        [1, code] => RemoteError::Exited { code },
        [2, _] => RemoteError::MemoryLimit,
        [3, _] => RemoteError::TimeLimit,
        [5, _] => RemoteError::Restarted,
        [6, _] => RemoteError::Unknown,
        [7, theirs] => RemoteError::Version { theirs },
        [8, _] => RemoteError::TooLarge,
        [9, _] => RemoteError::BadBytes,
        [10, _] => RemoteError::Panicked,
        _ => RemoteError::Lost,
    }
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    /// The lane of a call: at most one call at a time is under way on each.
    pub(crate) lane: u8,
    /// The [session](session) that the frame belongs to; 0 in greetings.
    pub(crate) session: u32,
    /// Which call of its lane it is. The first is 1.
    pub(crate) sequence: u32,
    /// The number of the task, or the status of a reply.
    pub(crate) id: u32,
}

impl Header {
    pub(crate) const fn greeting(kind: Kind) -> Self {
        Self {
            kind,
            lane: 0,
            session: 0,
            sequence: 0,
            id: 0,
        }
    }

    pub(crate) fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[0] = self.kind as u8;
        bytes[1] = self.lane;
        bytes[2..6].copy_from_slice(&self.session.to_le_bytes());
        bytes[6..10].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[10..].copy_from_slice(&self.id.to_le_bytes());
        bytes
    }

    /// The header in `bytes`. `None`: no frame of ours begins so.
    pub(crate) fn from_bytes(bytes: &[u8; HEADER]) -> Option<Self> {
        let &[kind, lane, s0, s1, s2, s3, q0, q1, q2, q3, i0, i1, i2, i3] = bytes;
        let kinds = [
            Kind::Hello,
            Kind::Welcome,
            Kind::Call,
            Kind::Cancel,
            Kind::Reply,
            Kind::Reset,
        ];
        Some(Self {
            kind: *kinds.get(usize::from(kind).checked_sub(1)?)?,
            lane,
            session: u32::from_le_bytes([s0, s1, s2, s3]),
            sequence: u32::from_le_bytes([q0, q1, q2, q3]),
            id: u32::from_le_bytes([i0, i1, i2, i3]),
        })
    }

    pub(crate) fn task(&self) -> TaskId {
        TaskId::from_bits(self.id)
    }
}

/// What a submitter says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) protocol: u8,
    /// The largest body that the submitter takes.
    pub(crate) bytes: u16,
    /// The submitter's number of this session.
    pub(crate) nonce: u32,
}

impl Hello {
    pub(crate) fn to_bytes(self) -> [u8; GREETING] {
        let mut bytes = [0; GREETING];
        bytes[0] = self.protocol;
        bytes[2..4].copy_from_slice(&self.bytes.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.nonce.to_le_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let &[protocol, _, b0, b1, n0, n1, n2, n3, ..] = bytes else {
            return None;
        };
        Some(Self {
            protocol,
            bytes: u16::from_le_bytes([b0, b1]),
            nonce: u32::from_le_bytes([n0, n1, n2, n3]),
        })
    }
}

/// What a worker answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Welcome {
    pub(crate) protocol: u8,
    /// How many calls may be under way at once.
    pub(crate) lanes: u8,
    /// The largest body that the worker takes.
    pub(crate) bytes: u16,
    /// The submitter's number, as it came.
    pub(crate) theirs: u32,
    /// The worker's number of this life.
    pub(crate) nonce: u32,
}

impl Welcome {
    pub(crate) fn to_bytes(self) -> [u8; GREETING] {
        let mut bytes = [0; GREETING];
        bytes[0] = self.protocol;
        bytes[1] = self.lanes;
        bytes[2..4].copy_from_slice(&self.bytes.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.theirs.to_le_bytes());
        bytes[8..].copy_from_slice(&self.nonce.to_le_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let &[protocol, lanes, b0, b1, t0, t1, t2, t3, n0, n1, n2, n3, ..] = bytes else {
            return None;
        };
        Some(Self {
            protocol,
            lanes,
            bytes: u16::from_le_bytes([b0, b1]),
            theirs: u32::from_le_bytes([t0, t1, t2, t3]),
            nonce: u32::from_le_bytes([n0, n1, n2, n3]),
        })
    }
}

/// The number of a session, of the numbers that both ends chose: never 0.
///
/// A frame of another session, however late it comes, is so told from those of this one.
pub(crate) const fn session(submitter: u32, worker: u32) -> u32 {
    let mixed =
        submitter.wrapping_mul(0x9e37_79b1).rotate_left(15) ^ worker.wrapping_mul(0x85eb_ca6b);
    let mixed = (mixed ^ mixed >> 16).wrapping_mul(0xc2b2_ae35);
    let mixed = mixed ^ mixed >> 13;
    if mixed == 0 { 1 } else { mixed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_and_greetings_come_back_as_they_were() {
        for kind in 0..=255 {
            let mut bytes = [7; HEADER];
            bytes[0] = kind;
            let header = Header::from_bytes(&bytes);
            assert_eq!(header.is_some(), (1..=6).contains(&kind));
            assert!(header.is_none_or(|header| header.to_bytes() == bytes));
        }
        let hello = Hello {
            protocol: 1,
            bytes: 0x1234,
            nonce: 0x5678_9abc,
        };
        assert_eq!(Hello::from_bytes(&hello.to_bytes()), Some(hello));
        let welcome = Welcome {
            protocol: 1,
            lanes: 8,
            bytes: 0x1234,
            theirs: 5,
            nonce: !6,
        };
        assert_eq!(Welcome::from_bytes(&welcome.to_bytes()), Some(welcome));
    }

    #[test]
    fn every_status_comes_back_as_it_was() {
        for bits in 0..8 {
            assert_eq!(
                Status::from_bits(bits).map(|status| status as u32),
                Some(bits)
            );
        }
        assert_eq!(Status::from_bits(8), None);
    }

    #[cfg(feature = "nodes")]
    #[test]
    fn every_error_comes_back_as_it_was() {
        for error in [
            RemoteError::Crashed { signal: 11 },
            RemoteError::Exited { code: 70 },
            RemoteError::MemoryLimit,
            RemoteError::TimeLimit,
            RemoteError::Lost,
            RemoteError::Restarted,
            RemoteError::Unknown,
            RemoteError::Version { theirs: 9 },
            RemoteError::TooLarge,
            RemoteError::BadBytes,
            RemoteError::Panicked,
        ] {
            assert_eq!(error_from_bytes(&error_to_bytes(error)), error);
        }
        assert_eq!(error_from_bytes(&[]), RemoteError::Lost);
        assert_eq!(error_from_bytes(&[99, 0]), RemoteError::Lost);
    }

    /// A session of a new life of either end has another number.
    #[test]
    fn sessions_of_neighbouring_lives_differ() {
        let mut seen = std::collections::BTreeSet::new();
        let lives = if cfg!(miri) { 10 } else { 100 };
        for submitter in 0..lives {
            for worker in 0..lives {
                assert_ne!(session(submitter, worker), 0);
                assert!(seen.insert(session(submitter, worker)));
            }
        }
    }
}
