//! The boards: Cargo builds their programs, QEMU runs them.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Sender;
use std::thread;

use crate::run::Event;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Submitter,
    Worker,
}

impl Role {
    pub(crate) const BOTH: [Self; 2] = [Self::Submitter, Self::Worker];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Submitter => "submitter",
            Self::Worker => "worker",
        }
    }

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Submitter => Self::Worker,
            Self::Worker => Self::Submitter,
        }
    }
}

/// The folder of the boards' programs.
pub(crate) struct Images(PathBuf);

impl Images {
    pub(crate) fn build() -> Result<Self, Box<dyn Error>> {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../remote-m3");
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            // Cargo resolves it against this program's working directory.
            Some(folder) => std::path::absolute(folder)?,
            None => project.join("target"),
        };
        let mut cargo = Command::new("cargo");
        cargo
            .current_dir(&project)
            .args(["build", "--release", "--quiet", "--target-dir"])
            .arg(&target);
        // The boards' own configuration has the flags for the linker.
        cargo
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env_remove("CARGO_BUILD_TARGET");
        if !cargo.status()?.success() {
            return Err("the boards' programs could not be built".into());
        }
        Ok(Self(target.join("thumbv7m-none-eabi/release")))
    }
}

/// A board that runs. Dropping it cuts its power.
pub(crate) struct Board(Child);

impl Board {
    /// Starts a board whose UART is a client of the socket. What it prints comes as events.
    pub(crate) fn start(
        images: &Images,
        role: Role,
        boot: u32,
        socket: &Path,
        events: &Sender<Event>,
    ) -> Result<Self, Box<dyn Error>> {
        let mut qemu = Command::new("qemu-system-arm");
        qemu.args(["-M", "mps2-an385", "-nographic", "-monitor", "none"])
            // UART0 has no cable; UART1 has.
            .args(["-serial", "null", "-serial"])
            .arg(format!("unix:{}", socket.display()))
            .arg("-semihosting-config")
            .arg(format!(
                "enable=on,target=native,arg={},arg={boot}",
                role.name()
            ))
            .arg("-kernel")
            .arg(images.0.join(role.name()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = qemu
            .spawn()
            .map_err(|error| format!("qemu-system-arm: {error}"))?;
        let said = child.stdout.take().ok_or("the board has no console")?;
        let events = events.clone();
        thread::spawn(move || {
            for line in BufReader::new(said).lines().map_while(Result::ok) {
                if events.send(Event::Said(role, boot, line)).is_err() {
                    return;
                }
            }
            let _ = events.send(Event::Ended(role, boot));
        });
        Ok(Self(child))
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The sockets that the boards' UARTs connect to, in a folder of their own.
pub(crate) struct Sockets(PathBuf);

impl Sockets {
    /// Listens for both boards, at each of their boots.
    pub(crate) fn listen(events: &Sender<Event>) -> Result<Self, Box<dyn Error>> {
        let folder = std::env::temp_dir().join(format!("line-proxy-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let sockets = Self(folder);
        for role in Role::BOTH {
            let _ = std::fs::remove_file(sockets.path(role));
            let listener = UnixListener::bind(sockets.path(role))?;
            let events = events.clone();
            thread::spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    if events.send(Event::Connected(role, stream)).is_err() {
                        return;
                    }
                }
            });
        }
        Ok(sockets)
    }

    pub(crate) fn path(&self, role: Role) -> PathBuf {
        self.0.join(role.name())
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
