//! When frames are sent again, and when a wait for the other end is given up.

/// When a frame is sent again, and when a silent worker counts as lost, in ticks of the caller's
/// clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    pub(super) resend: u64,
    pub(super) lost: Option<u64>,
}

impl Timing {
    /// A call or a greeting that was not answered for `ticks` is sent again; then after twice as
    /// long, and so on, up to 64 times as long. Choose a little more than a round trip of the
    /// longest frames. A call is sent again at once when a later one is answered.
    ///
    /// A wait for the other end never ends by itself: see [`lost_after`](Self::lost_after).
    ///
    /// # Panics
    ///
    /// If `ticks` is 0.
    ///
    /// ```
    /// use slotted_remote::Timing;
    ///
    /// const TIMING: Timing = Timing::resend_after(20).lost_after(2_000); // milliseconds, say
    /// # let _ = TIMING;
    /// ```
    #[must_use]
    pub const fn resend_after(ticks: u64) -> Self {
        assert!(ticks > 0, "a frame cannot be sent again all the time");
        Self {
            resend: ticks,
            lost: None,
        }
    }

    /// The calls under way end as [`Lost`](crate::RemoteError::Lost) if the other end was silent
    /// for `ticks` while it owed an answer. Choose more than the longest task takes: a board that
    /// runs a task does not answer meanwhile.
    ///
    /// ```
    /// # use slotted_remote::Timing;
    /// // Tasks take up to five seconds.
    /// const TIMING: Timing = Timing::resend_after(20).lost_after(6_000);
    /// # let _ = TIMING;
    /// ```
    #[must_use]
    pub const fn lost_after(self, ticks: u64) -> Self {
        Self {
            lost: Some(ticks),
            ..self
        }
    }
}
