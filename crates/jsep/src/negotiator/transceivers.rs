//! Transceivers: what the application does with them.

use std::collections::HashSet;

use oxirtc_sdp::Direction;

use super::{Negotiator, closed};
use crate::{
    Announced, Change, Codec, Error, Extension, Layers, MediaKind, Origin, SdpType, SignalingState,
    Source, Transceiver, TransceiverId, encoding::Encoding, outline::Entry, transceiver::Described,
};

/// What a transceiver is made with: the part of W3C's `RTCRtpTransceiverInit` that descriptions show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransceiverInit {
    /// What the application wants.
    pub direction: Direction,
    /// The ids of the streams of its track.
    pub streams: Vec<String>,
    /// The rids of its layers in their order; none for one stream.
    pub rids: Vec<String>,
}

impl Default for TransceiverInit {
    /// `sendrecv`, without streams and layers.
    fn default() -> Self {
        Self {
            direction: Direction::SendRecv,
            streams: Vec::new(),
            rids: Vec::new(),
        }
    }
}

impl Negotiator {
    /// W3C's `addTransceiver`, or what `addTrack` does when no transceiver is to be used again. Of more layers
    /// than [`Layers::MAX`] the first ones are taken; a single one needs no name.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`] when closed, [`Error::Type`] when rids are malformed or not different,
    /// [`Error::Operation`] when there is no codec of this kind.
    pub fn add_transceiver(
        &mut self,
        kind: MediaKind,
        origin: Origin,
        init: TransceiverInit,
    ) -> Result<TransceiverId, Error> {
        self.open()?;
        check_rids(&init.rids)?;
        if !self.config.is_equipped(kind) {
            return Err(Error::Operation("there is no codec for this kind of media"));
        }
        let next = &mut self.state.next.transceiver;
        let id = TransceiverId(*next);
        *next = next.wrapping_add(1);
        let mut transceiver = Transceiver::new(id, kind, origin, init.direction);
        transceiver.set_streams(init.streams);
        // [5.1-19]: cut from the end; what is alone has no name
        let rids = init.rids.into_iter().take(Layers::MAX);
        let encodings: Vec<_> = rids.map(Encoding::named).collect();
        if encodings.len() > 1 {
            transceiver.set_encodings(encodings);
        }
        self.state.agreement.add(transceiver, &self.config);
        self.revision += 1;
        Ok(id)
    }

    /// A transceiver; `None` when it is not in the connection any more.
    pub fn transceiver(&self, id: TransceiverId) -> Option<&Transceiver> {
        self.state.agreement.transceiver(id)
    }

    /// The transceivers in the order in which they were added.
    pub fn transceivers(&self) -> impl Iterator<Item = &Transceiver> {
        self.state.agreement.transceivers.iter()
    }

    /// Sets what the application wants. Returns whether that is something else.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`] when the connection is closed or the transceiver is stopping,
    /// [`Error::InvalidAccess`] when there is none.
    pub fn set_direction(
        &mut self,
        id: TransceiverId,
        direction: Direction,
    ) -> Result<bool, Error> {
        self.edit(id, |it| it.set_direction(direction))
    }

    /// `addTrack` uses this transceiver again: it sends from now on, for these streams.
    ///
    /// # Errors
    ///
    /// As for [`set_direction`](Self::set_direction).
    pub fn attach_track(&mut self, id: TransceiverId, streams: Vec<String>) -> Result<(), Error> {
        self.edit(id, |it| {
            let receives = it.direction().is_some_and(Direction::receives);
            it.set_direction(Direction::new(true, receives))?;
            it.track();
            it.set_streams(streams);
            Ok(())
        })
    }

    /// `removeTrack`: it does not send any more.
    ///
    /// # Errors
    ///
    /// As for [`set_direction`](Self::set_direction).
    pub fn detach_track(&mut self, id: TransceiverId) -> Result<(), Error> {
        self.edit(id, |it| {
            let receives = it.direction().is_some_and(Direction::receives);
            it.set_direction(Direction::new(false, receives)).map(drop)
        })
    }

    /// W3C's `setStreams`: the streams of its track.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`] when closed, [`Error::InvalidAccess`] when there is no such transceiver.
    pub fn set_streams(&mut self, id: TransceiverId, streams: Vec<String>) -> Result<(), Error> {
        self.edit(id, |it| {
            it.set_streams(streams);
            Ok(())
        })
    }

    /// W3C's `setCodecPreferences`: the codecs of the next description in this order; none for the default.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidModification`] when one is not a codec of ours, or none carries media.
    pub fn set_codec_preferences(
        &mut self,
        id: TransceiverId,
        codecs: &[Codec],
    ) -> Result<(), Error> {
        let kind = self.transceiver(id).map(Transceiver::kind);
        let kind = kind.ok_or(Error::InvalidAccess("there is no such transceiver"))?;
        let capabilities = self.config.capabilities(kind).codecs.clone();
        self.edit(id, |it| it.set_codec_preferences(codecs, &capabilities))
    }

    /// W3C's `setHeaderExtensionsToNegotiate`: the header extensions of the next description, each in the direction in which we use it.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidModification`] when one is not of ours, and as for [`set_direction`](Self::set_direction).
    pub fn set_extensions(
        &mut self,
        id: TransceiverId,
        extensions: Vec<Extension>,
    ) -> Result<(), Error> {
        let kind = self.transceiver(id).map(Transceiver::kind);
        let kind = kind.ok_or(Error::InvalidAccess("there is no such transceiver"))?;
        let ours = &self.config.capabilities(kind).extensions;
        let known = |it: &Extension| ours.iter().any(|own| own.uri == it.uri);
        if !extensions.iter().all(known) {
            return Err(Error::InvalidModification("not a header extension of ours"));
        }
        self.edit(id, |it| {
            it.set_extensions(extensions);
            Ok(())
        })
    }

    /// W3C's `stop`: nothing is sent and received any more, and the next offer rejects its section. One that no
    /// description has is gone at once.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`] when closed. One that is stopped already, or gone, is no error.
    pub fn stop(&mut self, id: TransceiverId) -> Result<Vec<Change>, Error> {
        self.open()?;
        let mut changes = Vec::new();
        let Some(transceiver) = self.state.agreement.transceiver_mut(id) else {
            return Ok(changes);
        };
        if transceiver.is_stopping() {
            return Ok(changes);
        }
        self.revision += 1;
        if transceiver.receive_parameters().is_some() {
            let parameters = None;
            changes.push(Change::Receives { id, parameters });
        }
        if transceiver.send_parameters().is_some() {
            let parameters = None;
            changes.push(Change::Sends { id, parameters });
        }
        transceiver.stop();
        let last = self.last_offer.as_ref();
        let planned = last.is_some_and(|it| it.plan.iter().any(|it| it.transceiver == Some(id)));
        if transceiver.mid().is_none() && !planned {
            self.state.agreement.transceivers.retain(|it| it.id() != id);
            changes.push(Change::Stopped { id });
            changes.push(Change::TransceiverRemoved { id });
        }
        Ok(changes)
    }

    /// An SSRC of ours has made way for another, as the peer uses it (RFC 3550 §8.2): descriptions that are made from now on name that one.
    pub fn replace_ssrc(&mut self, old: u32, new: u32) {
        for agreement in self.state.agreements_mut() {
            let transceivers = agreement.transceivers.iter_mut();
            transceivers.for_each(|it| it.replace_ssrc(old, new));
        }
    }

    /// Whether a transceiver asks for negotiation (W3C §4.7.3).
    pub(super) fn media_needs_negotiation(&self) -> bool {
        let (local, remote) = (&self.state.current_local, &self.state.current_remote);
        self.transceivers().any(|transceiver| {
            let described = local.as_ref().and_then(|local| {
                // by its place: older peers name no sections
                let mid = transceiver.mid()?;
                let mut sections = self.state.agreement.sections.iter();
                let index = sections.position(|it| it.mid == mid)?;
                let section = self.state.agreement.sections.get(index)?;
                let entry = local.outline.entry(index).filter(|it| section.is(it))?;
                let theirs = remote.as_ref().map(|it| &it.outline);
                let other = theirs.and_then(|it| it.entry(index));
                Some(Described {
                    offered: local.kind == SdpType::Offer,
                    local: local.outline.direction(index),
                    remote: theirs.map_or(Direction::Inactive, |it| it.direction(index)),
                    streams: &entry.rtp.streams,
                    rejected: entry.rejected || other.is_some_and(|it| it.rejected),
                })
            });
            transceiver.needs_negotiation(described.as_ref())
        })
    }

    /// Gives what is to be sent its SSRCs.
    pub(super) fn draw_ssrcs(&mut self, source: &mut dyn Source) {
        let transceivers = &mut self.state.agreement.transceivers;
        let mut used: HashSet<u32> = transceivers.iter().flat_map(Transceiver::ssrcs).collect();
        // those of an offer that is not answered yet
        let offered = self.state.pending_remote.iter();
        let offered = offered.flat_map(|it| &it.outline.entries);
        let offered = offered.flat_map(|it| &it.rtp.announced);
        used.extend(offered.flat_map(Announced::ssrcs));
        for transceiver in transceivers {
            if transceiver.direction().is_some_and(Direction::sends) {
                transceiver.draw_ssrcs(source, &|ssrc| used.contains(&ssrc));
                used.extend(transceiver.ssrcs());
            }
        }
    }

    /// Notes the numbers of the latest descriptions. Theirs come last: what they say counts.
    pub(super) fn learn_numbers(&mut self) {
        let state = &self.state;
        let local = [&state.pending_local, &state.current_local];
        let remote = [&state.current_remote, &state.pending_remote];
        let local = local
            .into_iter()
            .flatten()
            .flat_map(|it| &it.outline.entries);
        for Entry { rtp, .. } in local.filter(|it| !it.rejected) {
            self.numbers.learn(&rtp.formats, &rtp.extensions);
        }
        let remote = remote
            .into_iter()
            .flatten()
            .flat_map(|it| &it.outline.entries);
        for Entry { rtp, .. } in remote.filter(|it| !it.rejected) {
            self.numbers.adopt(&rtp.formats, &rtp.extensions);
        }
    }

    fn open(&self) -> Result<(), Error> {
        match self.state.signaling {
            SignalingState::Closed => Err(closed()),
            _ => Ok(()),
        }
    }

    /// Does something to a transceiver, after which a description that was made is out of date.
    fn edit<T>(
        &mut self,
        id: TransceiverId,
        edit: impl FnOnce(&mut Transceiver) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.open()?;
        let transceiver = self.state.agreement.transceiver_mut(id);
        let transceiver =
            transceiver.ok_or(Error::InvalidAccess("there is no such transceiver"))?;
        let done = edit(transceiver)?;
        self.revision += 1;
        Ok(done)
    }
}

/// Whether layers may have these names, of which each is another.
///
/// # Errors
///
/// [`Error::Type`] when they are malformed or not different.
pub fn check_rids(rids: &[String]) -> Result<(), Error> {
    for (index, rid) in rids.iter().enumerate() {
        if !is_rid(rid) {
            return Err(Error::Type("a rid has other characters, or is too long"));
        }
        if rids.iter().skip(index + 1).any(|it| it == rid) {
            return Err(Error::Type("two layers have the same rid"));
        }
    }
    Ok(())
}

// RFC 8851 §10: rid-id; its length has no limit there, but browsers take no longer ones
fn is_rid(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=255).contains(&text.len()) && text.bytes().all(known)
}
