//! Why something was dropped, for the log.

use std::collections::BTreeMap;

use oxirtc_ice as ice;
use oxirtc_rtp as rtp;
use oxirtc_sctp as sctp;
use oxirtc_srtp as srtp;

use super::{data::Data, transport::Transport};

/// What was dropped so far, by reason. The counters of the layers are the one truth; the log tells which of them has grown since it
/// told the last time. DTLS tells its own drops, each with its reason.
#[derive(Default)]
pub(super) struct Drops(BTreeMap<&'static str, u64>);

impl Drops {
    /// What is counted beside the layers: of this, datagrams for nobody, datagrams without room, and candidates beyond all.
    pub(super) fn new(nobodys: u64, crowded: u64, candidates: u64) -> Self {
        let mut drops = Self::default();
        drops.add([
            ("it is for no transport and no layer", nobodys),
            (
                "the connection was busy, and there was no room to wait",
                crowded,
            ),
            (
                "a candidate of a description, as there are too many",
                candidates,
            ),
        ]);
        drops
    }

    pub(super) fn add_transport(&mut self, transport: &Transport) {
        self.add(of_ice(&transport.ice.stats().drops));
        if let Some(media) = &transport.media {
            self.add(of_srtp(&media.srtp_stats()));
            self.add(of_rtp(&media.rtp.stats()));
        }
    }

    pub(super) fn add_data(&mut self, data: &Data) {
        self.add(of_sctp(&data.association_stats().unwrap_or_default()));
        self.add([("a message for no channel", data.messages_dropped())]);
    }

    /// The reasons for which more was dropped than `before`.
    pub(super) fn since(&self, before: &Self) -> impl Iterator<Item = &'static str> {
        let old = |reason| before.0.get(reason).copied().unwrap_or(0);
        let grown = self.0.iter().filter(move |it| *it.1 > old(*it.0));
        grown.map(|it| *it.0)
    }

    fn add(&mut self, counts: impl IntoIterator<Item = (&'static str, u64)>) {
        for (reason, count) in counts {
            *self.0.entry(reason).or_default() += count;
        }
    }
}

fn of_ice(ice: &ice::Drops) -> [(&'static str, u64); 8] {
    [
        ("STUN that is malformed", ice.malformed),
        ("STUN with other credentials", ice.unauthenticated),
        ("STUN that nobody waits for", ice.unexpected),
        ("a check that comes too late", ice.late),
        ("an answer from another address", ice.asymmetric),
        ("payload on a path that is not validated", ice.payload),
        ("a candidate, as there are too many", ice.candidates),
        ("a pair, as there are too many", ice.pairs),
    ]
}

fn of_srtp(srtp: &srtp::Stats) -> [(&'static str, u64); 4] {
    let both = |count: fn(&srtp::Counters) -> u64| count(&srtp.rtp) + count(&srtp.rtcp);
    [
        ("SRTP that does not authenticate", both(|it| it.forged)),
        ("SRTP that came before, or too late", both(|it| it.replayed)),
        ("SRTP that is no packet", both(|it| it.short)),
        (MANY_SOURCES, both(|it| it.over_limit)),
    ]
}

fn of_rtp(rtp: &rtp::SessionStats) -> [(&'static str, u64); 8] {
    [
        (MANY_SOURCES, rtp.over_limit),
        ("RTP that is malformed", rtp.malformed),
        ("RTP for no section", rtp.unrouted),
        ("a repair packet of nothing known", rtp.unbound),
        ("RTCP that is malformed", rtp.rtcp_malformed),
        ("RTCP that breaks off", rtp.rtcp_broken),
        ("RTP that nobody has read", rtp.unread),
        ("media for a sender that did not keep up", rtp.lagged),
    ]
}

fn of_sctp(sctp: &sctp::Stats) -> [(&'static str, u64); 6] {
    [
        ("an SCTP packet that is malformed", sctp.dropped_malformed),
        ("an SCTP packet with another tag", sctp.dropped_wrong_tag),
        ("an SCTP chunk out of place", sctp.dropped_chunks),
        (
            "SCTP data for which there is no room",
            sctp.dropped_out_of_window,
        ),
        ("a cookie of SCTP that is not ours", sctp.dropped_cookies),
        ("SCTP data that came before", sctp.duplicates),
    ]
}

const MANY_SOURCES: &str = "RTP of more sources than there may be";

#[cfg(test)]
mod tests {
    use super::*;

    /// The one reason that has grown.
    fn grown<const N: usize>(counts: [(&'static str, u64); N]) -> &'static str {
        let grown: Vec<_> = counts.iter().filter(|it| it.1 > 0).collect();
        assert_eq!(grown.len(), 1, "{grown:?}");
        grown[0].0
    }

    fn one<T: Default>(count: impl Fn(&mut T) -> &mut u64) -> T {
        let mut all = T::default();
        *count(&mut all) = 1;
        all
    }

    /// Whatever a layer counts as dropped has its reason in the log.
    #[test]
    fn each_count_has_its_reason() {
        type Count<T> = fn(&mut T) -> &mut u64;
        let of_agent: [(Count<ice::Drops>, &str); 8] = [
            (|it| &mut it.malformed, "malformed"),
            (|it| &mut it.unauthenticated, "other credentials"),
            (|it| &mut it.unexpected, "nobody waits"),
            (|it| &mut it.late, "too late"),
            (|it| &mut it.asymmetric, "another address"),
            (|it| &mut it.payload, "not validated"),
            (|it| &mut it.candidates, "candidate"),
            (|it| &mut it.pairs, "pair"),
        ];
        for (count, words) in of_agent {
            assert!(grown(of_ice(&one(count))).contains(words), "{words}");
        }
        let of_packets: [(Count<srtp::Stats>, &str); 8] = [
            (|it| &mut it.rtp.forged, "authenticate"),
            (|it| &mut it.rtcp.forged, "authenticate"),
            (|it| &mut it.rtp.replayed, "came before"),
            (|it| &mut it.rtcp.replayed, "came before"),
            (|it| &mut it.rtp.short, "no packet"),
            (|it| &mut it.rtcp.short, "no packet"),
            (|it| &mut it.rtp.over_limit, "more sources"),
            (|it| &mut it.rtcp.over_limit, "more sources"),
        ];
        for (count, words) in of_packets {
            assert!(grown(of_srtp(&one(count))).contains(words), "{words}");
        }
        let of_session: [(Count<rtp::SessionStats>, &str); 8] = [
            (|it| &mut it.over_limit, "more sources"),
            (|it| &mut it.malformed, "RTP that is malformed"),
            (|it| &mut it.unrouted, "no section"),
            (|it| &mut it.unbound, "repair"),
            (|it| &mut it.rtcp_malformed, "RTCP that is malformed"),
            (|it| &mut it.rtcp_broken, "breaks off"),
            (|it| &mut it.unread, "nobody has read"),
            (|it| &mut it.lagged, "did not keep up"),
        ];
        for (count, words) in of_session {
            assert!(grown(of_rtp(&one(count))).contains(words), "{words}");
        }
        let of_association: [(Count<sctp::Stats>, &str); 6] = [
            (|it| &mut it.dropped_malformed, "malformed"),
            (|it| &mut it.dropped_wrong_tag, "another tag"),
            (|it| &mut it.dropped_chunks, "out of place"),
            (|it| &mut it.dropped_out_of_window, "no room"),
            (|it| &mut it.dropped_cookies, "cookie"),
            (|it| &mut it.duplicates, "came before"),
        ];
        for (count, words) in of_association {
            assert!(grown(of_sctp(&one(count))).contains(words), "{words}");
        }
    }
}
