//! Statistics: one pass over the layers, which do the counting.

mod candidates;
mod certificates;
mod channels;
mod ended;
mod kept;
mod media;
mod pass;
mod traffic;
mod transports;
mod watch;

use std::time::Instant;

use self::{pass::Pass, transports::Known};
use super::{
    Engine,
    ids::{ChannelId, TransceiverId, TransportId},
};
use crate::stats::{StatsObject, StatsReport};

pub(super) use kept::Kept;
pub(super) use traffic::Traffic;
pub(super) use watch::Watch;

/// What a report may be about, instead of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatsSubject {
    /// A transport: it, and all that it refers to.
    Transport(TransportId),
    /// A channel: it, and the transport under it.
    Channel(ChannelId),
    /// A sender: the streams that it sends, and all that they refer to.
    Sender(TransceiverId),
    /// A receiver: the streams that it receives, and all that they refer to.
    Receiver(TransceiverId),
}

impl Engine {
    /// `getStats()` ([W3C §8.2](https://www.w3.org/TR/webrtc/#rtcpeerconnection-interface-extensions-1)): everything at this moment.
    /// After [`close`](Self::close), transports and streams are as they were then.
    pub fn stats(&self, now: Instant) -> StatsReport {
        self.pass(now).report
    }

    /// The stats selection algorithm (W3C §8.5), also for what it does not select by. `None` when there is no such transport or
    /// channel; a sender or receiver without streams has an empty report.
    pub fn stats_of(&self, now: Instant, subject: StatsSubject) -> Option<StatsReport> {
        let pass = self.pass(now);
        let carrier = || self.data.sctp().map(|it| it.transport());
        let (root, others) = match subject {
            StatsSubject::Transport(id) => (Some(transports::id(&pass.ids, id)), Vec::new()),
            StatsSubject::Channel(id) => {
                let transport = carrier().map(|id| transports::id(&pass.ids, id));
                let root = channels::id(&pass.ids, id);
                (Some(root), Vec::from_iter(transport))
            }
            StatsSubject::Sender(id) => (None, media::of(&pass.sent, id)),
            StatsSubject::Receiver(id) => (None, media::of(&pass.received, id)),
        };
        if let Some(root) = &root {
            pass.report.get(root)?;
        }
        let roots: Vec<_> = root.into_iter().chain(others).collect();
        let is_root = |it: &StatsObject| roots.iter().any(|id| id == it.id());
        Some(pass.report.select(is_root))
    }

    fn pass(&self, now: Instant) -> Pass {
        let mut pass = Pass::new(&self.equipment, now);
        pass.connection(&self.data);
        let kept = &self.last_stats;
        if let Some(closed) = kept.at {
            pass.now = closed;
            for transport in &kept.transports {
                pass.transport(transport, &self.equipment);
            }
            pass.now = now;
            let objects = kept.objects.iter().cloned();
            objects.for_each(|it| pass.report.insert(it));
            (pass.sent, pass.received) = (kept.sent.clone(), kept.received.clone());
        } else {
            for transport in self.transports.iter() {
                pass.transport(&Known::of(transport), &self.equipment);
            }
            self.media_of(&mut pass);
        }
        pass.channels(&self.data);
        pass
    }

    fn media_of(&self, pass: &mut Pass) {
        let negotiator = &self.negotiation.negotiator;
        pass.media(&self.media, &self.transports, negotiator);
    }

    /// [8-01]: what is forgotten when the connection closes, as it is now but for its states. Most connections close without anybody
    /// who asks, so of transports only what they know is kept.
    pub(super) fn keep_stats(&mut self, now: Instant) {
        let mut transports: Vec<_> = self.transports.iter().map(Known::of).collect();
        transports.iter_mut().for_each(Known::close);
        self.last_stats = Kept {
            at: Some(now),
            transports,
            ..Kept::default()
        };
        if self.media.iter().next().is_some() {
            let mut pass = Pass::new(&self.equipment, now);
            self.media_of(&mut pass);
            let kept = &mut self.last_stats;
            kept.objects = pass.report.into_iter().collect();
            (kept.sent, kept.received) = (pass.sent, pass.received);
        }
    }
}
