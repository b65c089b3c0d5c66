//! The configuration of a peer without a router.

use zenoh::Config;

use crate::error::Error;

/// A peer that listens at some endpoints and connects to others, such as `tcp/192.168.1.7:7447`.
/// It looks for no others: neither by multicast nor by what its peers know.
///
/// An end that listens finds all that connect to it. It does not matter whether the submitters
/// listen and the nodes connect, or the other way round. Zenoh connects again by itself.
///
/// Everything else is Zenoh's default, and [`Config`] has it all: routers, certificates, scouting.
///
/// # Errors
///
/// If an endpoint is none.
///
/// ```
/// let config = slotted_zenoh::peer(&["tcp/127.0.0.1:0"], &[]).unwrap();
/// # let _ = config;
/// assert!(slotted_zenoh::peer(&["nonsense"], &[]).is_err());
/// ```
pub fn peer(listen: &[&str], connect: &[&str]) -> Result<Config, Error> {
    let list = |endpoints: &[&str]| format!("{endpoints:?}");
    let mut config = Config::default();
    for (key, value) in [
        ("mode", "\"peer\""),
        ("listen/endpoints", &list(listen)),
        ("connect/endpoints", &list(connect)),
        ("scouting/multicast/enabled", "false"),
        ("scouting/gossip/enabled", "false"),
    ] {
        config.insert_json5(key, value)?;
    }
    Ok(config)
}
