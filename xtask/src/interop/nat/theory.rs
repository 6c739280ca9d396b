//! Which path two hosts have, by the kinds of their NATs (RFC 4787 §4, §5).

use anyhow::ensure;

use super::{network::Kind, party::Pair};

/// What carries the packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From one host to the other, by the addresses of the hosts or of their NATs.
    Direct,
    /// The same, by a stream.
    Stream,
    /// Over the server.
    Relay,
}

/// The path that is there for two kinds.
pub(super) fn expected(left: Kind, right: Kind) -> Way {
    use Kind::{Blocked, PortRestricted, Symmetric};
    match (left, right) {
        (Blocked, _) | (_, Blocked) => Way::Relay,
        // Who filters by port would have to know the port that the other has for it alone.
        (Symmetric, Symmetric | PortRestricted) | (PortRestricted, Symmetric) => Way::Relay,
        _ => Way::Direct,
    }
}

/// Whether the pairs in use at both ends are of this path.
pub(super) fn check(way: Way, kinds: [Kind; 2], pairs: &[Pair; 2]) -> anyhow::Result<()> {
    for (kind, pair) in kinds.into_iter().zip(pairs) {
        let relayed = pair.local == "relay" || pair.remote == "relay";
        ensure!(
            relayed == (way == Way::Relay),
            "{way:?} was expected, and this is in use: {pair:?}"
        );
        let protocol = if way == Way::Stream { "tcp" } else { "udp" };
        ensure!(
            pair.protocol == protocol,
            "{protocol} was expected: {pair:?}"
        );
        let by_stream = pair.local == "relay" && pair.relay_protocol == "tcp";
        ensure!(
            way != Way::Relay || kind != Kind::Blocked || by_stream,
            "no UDP gets through, and this is in use: {pair:?}"
        );
        let open = kinds == [Kind::Open; 2];
        let hosts = pair.local == "host" && pair.remote == "host";
        ensure!(!open || hosts, "nothing is between them: {pair:?}");
        // Checks of other pairs may go on for half a minute.
        let done = ["Connected", "Completed"].contains(&pair.state.as_str());
        ensure!(done, "not connected: {pair:?}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(local: &str, remote: &str) -> Pair {
        Pair {
            local: local.to_owned(),
            remote: remote.to_owned(),
            protocol: "udp".to_owned(),
            relay_protocol: "tcp".to_owned(),
            addresses: Vec::new(),
            state: "Completed".to_owned(),
        }
    }

    #[test]
    fn a_path_is_told_from_another() {
        let direct = [pair("srflx", "prflx"), pair("host", "srflx")];
        let relayed = [pair("host", "relay"), pair("relay", "prflx")];
        let kinds = [Kind::FullCone, Kind::Symmetric];
        check(expected(kinds[0], kinds[1]), kinds, &direct).unwrap();
        check(Way::Direct, kinds, &relayed).unwrap_err();
        let kinds = [Kind::PortRestricted, Kind::Symmetric];
        check(expected(kinds[0], kinds[1]), kinds, &relayed).unwrap();
        check(Way::Relay, kinds, &direct).unwrap_err();
        let kinds = [Kind::Blocked, Kind::Open];
        check(Way::Relay, kinds, &relayed).unwrap_err();
        check(Way::Relay, [Kind::Open, Kind::Blocked], &relayed).unwrap();
    }
}
