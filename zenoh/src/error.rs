//! Why a connection could not be opened.

use core::error::Error as StdError;
use core::fmt;

/// Why a pool or a node could not be connected.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The pool's name is empty, or has one of `/`, `*`, `$`, `?`, `#`.
    PoolName(String),
    /// Zenoh says so: an endpoint that does not exist, a port in use, a certificate that is
    /// missing.
    Zenoh(Box<dyn StdError + Send + Sync>),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PoolName(name) => write!(
                f,
                "{name:?} is no name of a pool: it must not be empty, nor have one of / * $ ? #"
            ),
            Self::Zenoh(error) => write!(f, "{error}"),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::PoolName(_) => None,
            Self::Zenoh(error) => Some(&**error),
        }
    }
}

impl From<zenoh::Error> for Error {
    fn from(error: zenoh::Error) -> Self {
        Self::Zenoh(error)
    }
}
