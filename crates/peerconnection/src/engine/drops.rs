//! Why something was dropped, for the log.

use oxirtc_srtp as srtp;

use super::{Engine, data::Data, trace::is_on, transport::Transport};
use crate::Path;

/// What was dropped so far, by reason. The counters of the layers are the one truth; the log tells which of them has grown. DTLS
/// tells its own drops, each with its reason.
pub(super) struct Drops(Vec<(&'static str, u64)>);

impl Engine {
    /// What was dropped so far; `None` when nobody reads the trace.
    pub(super) fn drops(&self) -> Option<Drops> {
        is_on().then(|| {
            let mut drops = vec![("it is for no transport and no layer", self.counters.dropped)];
            for transport in self.transports.iter() {
                of_transport(transport, &mut drops);
                of_media(transport, &mut drops);
            }
            of_data(&self.data, &mut drops);
            Drops(drops)
        })
    }

    /// Tells what was dropped of a datagram.
    pub(super) fn trace_drops(&self, before: Option<Drops>, path: Path) {
        let (Some(before), Some(after)) = (before, self.drops()) else {
            return;
        };
        let label = self.equipment.trace.label;
        for (old, (reason, count)) in before.0.into_iter().zip(after.0) {
            if count > old.1 {
                let (local, remote) = (self.own(path.local), path.remote);
                log::trace!("{label}: dropped, from {remote} to {local}: {reason}");
            }
        }
    }
}

fn of_transport(transport: &Transport, drops: &mut Vec<(&'static str, u64)>) {
    let ice = transport.ice.stats().drops;
    drops.extend([
        ("STUN that is malformed", ice.malformed),
        ("STUN with other credentials", ice.unauthenticated),
        ("STUN that nobody waits for", ice.unexpected),
        ("a check that comes too late", ice.late),
        ("an answer from another address", ice.asymmetric),
        ("payload on a path that is not validated", ice.payload),
    ]);
}

fn of_media(transport: &Transport, drops: &mut Vec<(&'static str, u64)>) {
    let media = transport.media.as_ref();
    let srtp = media.map(|it| it.srtp_stats()).unwrap_or_default();
    let both = |count: fn(&srtp::Counters) -> u64| count(&srtp.rtp) + count(&srtp.rtcp);
    let rtp = media.map(|it| it.rtp.stats()).unwrap_or_default();
    drops.extend([
        ("SRTP that does not authenticate", both(|it| it.forged)),
        ("SRTP that came before, or too late", both(|it| it.replayed)),
        ("SRTP that is no packet", both(|it| it.short)),
        (
            "RTP of more sources than there may be",
            both(|it| it.over_limit) + rtp.over_limit,
        ),
        ("RTP that is malformed", rtp.malformed),
        ("RTP for no section", rtp.unrouted),
        ("a repair packet of nothing known", rtp.unbound),
        (
            "RTCP that is malformed",
            rtp.rtcp_malformed + rtp.rtcp_broken,
        ),
    ]);
}

fn of_data(data: &Data, drops: &mut Vec<(&'static str, u64)>) {
    let sctp = data.association_stats().unwrap_or_default();
    drops.extend([
        ("an SCTP packet that is malformed", sctp.dropped_malformed),
        ("an SCTP packet with another tag", sctp.dropped_wrong_tag),
        ("an SCTP chunk out of place", sctp.dropped_chunks),
        (
            "SCTP data for which there is no room",
            sctp.dropped_out_of_window,
        ),
        ("a cookie of SCTP that is not ours", sctp.dropped_cookies),
        ("SCTP data that came before", sctp.duplicates),
        ("a message for no channel", data.messages_dropped()),
    ]);
}
