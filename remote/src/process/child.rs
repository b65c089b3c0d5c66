//! Starting a worker process, and learning how it ended.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{self, Child, ExitStatus, Stdio};
use std::sync::Arc;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use wait4::Wait4;

use super::command::{Command, WORKER_NAME};
use crate::RemoteError;

/// The running program. Its link leads to this very file, also if another one has its name by now.
fn running_program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") {
        Ok("/proc/self/exe".into())
    } else {
        std::env::current_exe()
    }
}

/// Starts a worker process, with its limits. Returns it, and the parent's end of its socket.
pub(super) fn spawn(command: &Command) -> io::Result<(Child, Arc<OwnedFd>)> {
    let (ours, theirs) = socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    let program = match &command.program {
        Some(program) => program.clone(),
        None => running_program()?,
    };
    let mut child = process::Command::new(program)
        .arg0(WORKER_NAME)
        .args(&command.arguments)
        .stdin(Stdio::from(theirs))
        .spawn()?;
    // Before the greeting, which the worker waits for: so no task runs without its limits.
    if let Err(error) = limit(&child, command) {
        end(&mut child, command);
        return Err(error);
    }
    Ok((child, Arc::new(ours)))
}

fn limit(child: &Child, command: &Command) -> io::Result<()> {
    let Some(bytes) = command.memory else {
        return Ok(());
    };
    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else {
        return Err(io::ErrorKind::NotFound.into());
    };
    let limit = Rlimit {
        current: Some(bytes),
        maximum: Some(bytes),
    };
    prlimit(Some(pid), Resource::Data, limit)?;
    Ok(())
}

/// How a process ended.
pub(super) struct End {
    /// `None`: the system did not say.
    pub(super) status: Option<ExitStatus>,
    /// What became of the task that ran.
    pub(super) error: RemoteError,
}

/// Ends a process that has closed its socket or is to be gone, and waits until it is.
///
/// A process that ends already keeps the status it ends with.
pub(super) fn end(child: &mut Child, command: &Command) -> End {
    let _ = child.kill(); // it may be gone
    // Endless for a reason: only interruptions repeat it, and the process has been killed.
    let used = loop {
        match child.wait4() {
            Ok(used) => break used,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => {
                return End {
                    status: None,
                    error: RemoteError::Lost,
                };
            }
        }
    };
    let error = match (used.status.signal(), used.status.code()) {
        (Some(signal), _) if is_out_of_memory(signal, used.rusage.maxrss, command.memory) => {
            RemoteError::MemoryLimit
        }
        (Some(signal), _) => RemoteError::Crashed {
            signal: signal as u8, // a small number
        },
        (None, Some(code)) => RemoteError::Exited {
            code: code as u8, // the system keeps eight bits
        },
        (None, None) => RemoteError::Lost,
    };
    End {
        status: Some(used.status),
        error,
    }
}

/// Guesses whether a process ended for want of memory. A program that gets none aborts, and one
/// that grows by doubling gets none when it has used between a third and a half.
fn is_out_of_memory(signal: i32, peak: u64, limit: Option<u64>) -> bool {
    let is_abort = signal == Signal::ABORT.as_raw();
    limit.is_some_and(|limit| is_abort && peak >= limit / 4)
}
