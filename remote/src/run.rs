//! Running one call at the worker's end: bytes in, bytes out, in the same memory.

use crate::frame::Status;
use crate::task::Task;

/// Runs a task whose argument lies in the first `len` bytes, and leaves the result, or the message
/// of a panic, in their place. Returns how it ended and how long that is. `limit` is the room of
/// the other end.
#[expect(
    unreachable_pub,
    reason = "a hidden item of the trait `Tasks` names it"
)]
pub type Runner = fn(bytes: &mut [u8], len: usize, limit: usize) -> (Status, usize);

/// The [`Runner`] of a task.
pub(crate) fn runner<T: Task>(bytes: &mut [u8], len: usize, limit: usize) -> (Status, usize) {
    let argument = bytes.get(..len).unwrap_or_default();
    let Some(task) = decode::<T>(argument) else {
        return (Status::BadBytes, 0);
    };
    let room = limit.min(bytes.len());
    run_into(task, &mut bytes[..room])
}

/// Runs a task, and leaves its result, or the message of its panic, at the front of `room`.
fn run_into<T: Task>(task: T, room: &mut [u8]) -> (Status, usize) {
    match catch(|| task.run()) {
        Ok(output) => match encode(&output, room) {
            Some(len) => (Status::Done, len),
            None => (Status::TooLarge, 0),
        },
        Err(message) => (Status::Panicked, message.write(room)),
    }
}

/// What each task of a chunk has before its result: its status, and how long that is.
#[cfg(feature = "std")]
pub(crate) const HEAD: usize = 3;

/// The [`Runner`] of several tasks of one type, one after another. It runs none of them if their
/// heads do not fit.
///
/// A task that does not decode ends the chunk: where the next begins is not known. It and those
/// behind it are bad bytes.
#[cfg(feature = "std")]
pub(crate) fn chunk_runner<T: Task>(bytes: &mut [u8], len: usize, limit: usize) -> (Status, usize) {
    let arguments = bytes.get(..len).unwrap_or_default().to_vec();
    let Ok((count, mut arguments)) = postcard::take_from_bytes::<u16>(&arguments) else {
        return (Status::BadBytes, 0);
    };
    let room = limit.min(bytes.len());
    if usize::from(count) * HEAD > room {
        return (Status::TooLarge, 0);
    }
    let mut len = 0;
    for behind in (0..usize::from(count)).rev() {
        // The others have room for their heads.
        let (head, rest) = bytes[len..room - behind * HEAD].split_at_mut(HEAD);
        let (status, own) = match postcard::take_from_bytes::<T>(arguments) {
            Ok((task, others)) => {
                arguments = others;
                run_into(task, rest)
            }
            Err(_) => {
                arguments = &[];
                (Status::BadBytes, 0)
            }
        };
        // A frame has at most 65,535 bytes.
        let [low, high] = (own as u16).to_le_bytes();
        head.copy_from_slice(&[status as u8, low, high]);
        len += HEAD + own;
    }
    (Status::Done, len)
}

/// The value in all of `bytes`.
pub(crate) fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Some(value),
        _ => None,
    }
}

/// Writes a value to the front of `bytes`. Returns how long it is, or `None` if it does not fit.
pub(crate) fn encode<T: serde::Serialize>(value: &T, bytes: &mut [u8]) -> Option<usize> {
    postcard::to_slice(value, bytes).ok().map(|used| used.len())
}

/// What is known of a panic.
pub(crate) struct Message(#[cfg(feature = "std")] String);

impl Message {
    /// Writes as much of the text as fits. Returns how long that is.
    #[cfg(feature = "std")]
    fn write(self, room: &mut [u8]) -> usize {
        let mut len = self.0.len().min(room.len());
        // Bound: a character has at most four bytes.
        while !self.0.is_char_boundary(len) {
            len -= 1;
        }
        room[..len].copy_from_slice(&self.0.as_bytes()[..len]);
        len
    }

    #[cfg(not(feature = "std"))]
    fn write(self, _room: &mut [u8]) -> usize {
        0
    }
}

#[cfg(feature = "std")]
std::thread_local! {
    /// Where the thread's last panic was, if the hook is there.
    static LAST_PANIC: core::cell::Cell<Option<String>> =
        const { core::cell::Cell::new(None) };
}

/// From now on, messages of panics say where they were. Keeps the hook that was there.
#[cfg(all(unix, feature = "process", not(loom)))]
pub(crate) fn note_panics() {
    let earlier = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        LAST_PANIC.set(panic.location().map(ToString::to_string));
        earlier(panic);
    }));
}

/// Calls `work`; a panic in it becomes a message.
#[cfg(feature = "std")]
fn catch<R>(work: impl FnOnce() -> R) -> Result<R, Message> {
    use core::panic::AssertUnwindSafe;
    use std::panic::catch_unwind;

    // Asserted: what `work` borrowed is gone.
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let text = match payload.downcast_ref::<&'static str>() {
            Some(text) => Some(*text),
            None => payload.downcast_ref::<String>().map(|text| text.as_str()),
        };
        let mut message = text.unwrap_or("a panic without a message").to_string();
        if let Some(place) = LAST_PANIC.take() {
            message = format!("{message} ({place})");
        }
        let message = Message(message);
        // The destructor of a payload is foreign code, and may panic in turn.
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            core::mem::forget(second);
        }
        message
    })
}

/// Calls `work`. Without `std` nothing catches a panic.
#[cfg(not(feature = "std"))]
fn catch<R>(work: impl FnOnce() -> R) -> Result<R, Message> {
    Ok(work())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_behind_a_value_are_no_part_of_it() {
        assert_eq!(decode::<u8>(&[1]), Some(1));
        assert_eq!(decode::<u8>(&[1, 2]), None);
        assert_eq!(decode::<u8>(&[]), None);
    }
}
