//! Why an end of a line cannot use its serial port.

use core::error::Error;
use core::fmt;

/// A serial port failed.
///
/// The end of the line is as it was. A driver may go on with the same port: frames that were cut
/// are sent again. So an overrun of a UART costs time, and nothing else.
///
/// ```
/// use slotted_remote::PortError;
///
/// /// Returns true if the board goes on with the port.
/// fn goes_on<E: core::fmt::Debug>(error: PortError<E>) -> bool {
///     match error {
///         PortError::Closed => false,
///         PortError::Port(error) => {
///             println!("{error:?}");
///             true
///         }
///     }
/// }
/// assert!(goes_on(PortError::Port("overrun")));
/// assert!(!goes_on(PortError::<()>::Closed));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortError<E> {
    /// The port is at its end: the other side has closed it.
    Closed,
    /// The port's own error.
    Port(E),
}

impl<E> fmt::Display for PortError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the serial port is closed",
            Self::Port(_) => "the serial port failed",
        })
    }
}

impl<E: Error + 'static> Error for PortError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Closed => None,
            Self::Port(error) => Some(error),
        }
    }
}
