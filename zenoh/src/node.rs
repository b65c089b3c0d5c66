//! The node's end.

use slotted_remote::nodes::{Backend, Node, NodeInbox, NodeOptions, NodesStartError};
use zenoh::sample::{Sample, SampleKind};
use zenoh::{Config, Wait};

use crate::error::Error;
use crate::names::{End, check_pool, last};

/// Serves the submitters of a pool, until the returned node is [shut down](Node::shutdown) or
/// dropped.
///
/// The backend runs the calls: a pool of processes, an executor of this program, or a board behind
/// a link.
///
/// # Blocking
///
/// Until Zenoh has opened the session: some milliseconds, or as long as its configuration says. Not
/// to be called inside a runtime of `tokio` with one thread, where Zenoh panics.
///
/// # Errors
///
/// [`NodesStartError::Transport`] with the reason, or what [`Node::start`] says.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # use slotted_remote::Task;
/// # #[derive(Serialize, Deserialize)]
/// # struct Square(u32);
/// # impl Task for Square {
/// #     const NAME: &str = "square/1";
/// #     type Output = u64;
/// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
/// # }
/// use slotted::{Executor, StdThreads};
/// use slotted_remote::nodes::{ExecutorBackend, NodeOptions};
///
/// static EXECUTOR: Executor<2, 16> = Executor::new();
///
/// EXECUTOR.start(&StdThreads::new()).unwrap();
/// let backend = ExecutorBackend::<(Square,), 512>::new(&EXECUTOR);
/// let config = slotted_zenoh::peer(&["tcp/127.0.0.1:0"], &[]).unwrap();
/// let node = slotted_zenoh::serve(backend, "render", config, NodeOptions::new()).unwrap();
/// drop(node);
/// ```
pub fn serve<B, const BYTES: usize>(
    backend: B,
    pool: &str,
    config: Config,
    options: NodeOptions,
) -> Result<Node, NodesStartError<Error>>
where
    B: Backend<BYTES>,
{
    Node::start(backend, options, |inbox| connect(&inbox, pool, config))
}

fn connect(inbox: &NodeInbox, pool: &str, config: Config) -> Result<End, Error> {
    check_pool(pool)?;
    let session = zenoh::open(config).wait()?;
    let mut end = End::new(session, pool, "reply");
    // First what hears, then what tells: an end that hears of this one may send at once.
    let presence = {
        let inbox = inbox.clone();
        move |sample: Sample| {
            if sample.kind() == SampleKind::Delete {
                inbox.left(last(sample.key_expr()));
            }
        }
    };
    { end.session.liveliness() }
        .declare_subscriber(format!("slotted/{pool}/submitter/*"))
        .callback(presence)
        .background()
        .wait()?;
    let inbox = inbox.clone();
    let calls = move |sample: Sample| {
        inbox.receive(last(sample.key_expr()), &sample.payload().to_bytes());
    };
    {
        end.session
            .declare_subscriber(format!("slotted/{pool}/call/{}/*", end.name()))
    }
    .callback(calls)
    .background()
    .wait()?;
    end.announce(format!("slotted/{pool}/node/{}", end.name()))?;
    Ok(end)
}
