//! The submitter's end.

use slotted_remote::Timing;
use slotted_remote::nodes::{Nodes, NodesInbox, NodesStartError};
use zenoh::sample::{Sample, SampleKind};
use zenoh::{Config, Wait};

use crate::error::Error;
use crate::names::{End, check_pool, last};

/// A frame that was not answered for so many milliseconds is sent again. Zenoh loses none while the
/// connection stands. But a node may be greeted before Zenoh knows that it listens.
pub(crate) const TIMING: Timing = Timing::resend_after(200);

/// Starts a pool of nodes: from now on it finds the nodes that [`serve`](crate::serve) under this
/// name.
///
/// # Blocking
///
/// Until Zenoh has opened the session: some milliseconds, or as long as its configuration says. Not
/// to be called inside a runtime of `tokio` with one thread, where Zenoh panics.
///
/// # Errors
///
/// [`NodesStartError::Transport`] with the reason, or what [`Nodes::start`] says.
///
/// ```
/// use slotted::Shutdown;
/// use slotted_remote::nodes::Nodes;
///
/// static POOL: Nodes<4, 64, 512> = Nodes::new();
///
/// slotted_zenoh::start(&POOL, "render", slotted_zenoh::peer(&["tcp/127.0.0.1:0"], &[]).unwrap())
///     .unwrap();
/// assert!(POOL.nodes().is_empty());
/// POOL.shutdown(Shutdown::Cancel).unwrap();
/// ```
pub fn start<const NODES: usize, const QUEUE: usize, const BYTES: usize>(
    nodes: &'static Nodes<NODES, QUEUE, BYTES>,
    pool: &str,
    config: Config,
) -> Result<(), NodesStartError<Error>> {
    nodes.start(TIMING, |inbox| connect(inbox, pool, config))
}

fn connect(inbox: NodesInbox, pool: &str, config: Config) -> Result<End, Error> {
    check_pool(pool)?;
    let session = zenoh::open(config).wait()?;
    let mut end = End::new(session, pool, "call");
    // First what hears, then what tells: an end that hears of this one may send at once.
    let replies = move |sample: Sample| {
        inbox.receive(last(sample.key_expr()), &sample.payload().to_bytes());
    };
    {
        end.session
            .declare_subscriber(format!("slotted/{pool}/reply/{}/*", end.name()))
    }
    .callback(replies)
    .background()
    .wait()?;
    end.announce(format!("slotted/{pool}/submitter/{}", end.name()))?;
    let presence = move |sample: Sample| match sample.kind() {
        SampleKind::Put => inbox.appeared(last(sample.key_expr())),
        SampleKind::Delete => inbox.vanished(last(sample.key_expr())),
    };
    { end.session.liveliness() }
        .declare_subscriber(format!("slotted/{pool}/node/*"))
        .history(true)
        .callback(presence)
        .background()
        .wait()?;
    Ok(end)
}
