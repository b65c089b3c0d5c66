//! The key expressions of a pool, and the open session of one end.
//!
//! | key | what it is |
//! | --- | --- |
//! | `slotted/POOL/node/NODE` | the liveliness token of a node |
//! | `slotted/POOL/submitter/SUBMITTER` | the liveliness token of a submitter |
//! | `slotted/POOL/call/NODE/SUBMITTER` | a frame of a submitter, to a node |
//! | `slotted/POOL/reply/SUBMITTER/NODE` | a frame of a node, to a submitter |
//!
//! Each end is called by the number of its Zenoh session.

use slotted_remote::nodes::Transport;
use zenoh::Session;
use zenoh::Wait;
use zenoh::key_expr::KeyExpr;
use zenoh::liveliness::LivelinessToken;
use zenoh::qos::{CongestionControl, Priority};

use crate::error::Error;

/// Fails if a name cannot be a part of a key.
pub(crate) fn check_pool(pool: &str) -> Result<(), Error> {
    if pool.is_empty() || pool.contains(['/', '*', '$', '?', '#']) {
        return Err(Error::PoolName(pool.into()));
    }
    Ok(())
}

/// The last part of a key: the name of an end.
pub(crate) fn last<'k>(key: &'k KeyExpr<'_>) -> &'k str {
    key.as_str().rsplit('/').next().unwrap_or_default()
}

/// One end of a pool: its session, and what it has declared.
pub(crate) struct End {
    pub(crate) session: Session,
    /// What the other ends find. Dropped first: what is not there gets no frames.
    token: Option<LivelinessToken>,
    /// Before the name of the other end.
    to: String,
    /// This end's name.
    name: String,
}

impl End {
    /// An end that sends to `slotted/POOL/KIND/…`.
    pub(crate) fn new(session: Session, pool: &str, kind: &str) -> Self {
        let name = session.zid().to_string();
        Self {
            session,
            token: None,
            to: format!("slotted/{pool}/{kind}"),
            name,
        }
    }

    /// This end's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Tells the other ends that this one is there.
    pub(crate) fn announce(&mut self, key: String) -> Result<(), Error> {
        self.token = Some(self.session.liveliness().declare_token(key).wait()?);
        Ok(())
    }
}

impl Transport for End {
    fn send(&mut self, to: &str, frame: &[u8]) {
        let key = format!("{}/{to}/{}", self.to, self.name);
        // Not dropped under load, and not kept back to be sent with others. What cannot be sent is
        // sent again, or its end is gone.
        let _ = { self.session.put(key, frame) }
            .congestion_control(CongestionControl::Block)
            .priority(Priority::RealTime)
            .express(true)
            .wait();
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // What fails here is closed already.
        if let Some(token) = self.token.take() {
            let _ = token.undeclare().wait();
        }
        let _ = self.session.close().wait();
    }
}
