//! Which header extensions are negotiated, and which were (WebRTC Extensions, "RTP header extension control").

use oxirtc_jsep as jsep;
use oxirtc_rtp::extension::Kind;

use super::transceivers::no_transceiver;
use crate::{
    Error, ErrorKind, MediaKind, RtpHeaderExtensionCapability, RtpTransceiverDirection,
    engine::{Engine, convert, ids::TransceiverId},
};

impl Engine {
    /// `getHeaderExtensionsToNegotiate()`: all that there are for its kind of media, each with the direction of the next description;
    /// `Stopped` is left out of it.
    ///
    /// # Errors
    ///
    /// `InvalidState` when the transceiver is not in the connection any more.
    pub fn header_extensions_to_negotiate(
        &self,
        id: TransceiverId,
    ) -> Result<Vec<RtpHeaderExtensionCapability>, Error> {
        let (kind, described) = self.described(id)?;
        let ours = convert::capabilities(kind).extensions;
        Ok(shown(&ours, described.extensions(&ours)))
    }

    /// `setHeaderExtensionsToNegotiate()`: another direction for some of what
    /// [`header_extensions_to_negotiate`](Self::header_extensions_to_negotiate) has given. It counts from the next description on.
    ///
    /// # Errors
    ///
    /// `InvalidState` when the transceiver is stopping; `InvalidModification` when these are not the same in the same order, or when the
    /// mid is not used both ways, without which bundled sections are not told apart.
    pub fn set_header_extensions_to_negotiate(
        &mut self,
        id: TransceiverId,
        extensions: &[RtpHeaderExtensionCapability],
    ) -> Result<(), Error> {
        self.check_running(id)?;
        let before = self.header_extensions_to_negotiate(id)?;
        let uris = |list: &[RtpHeaderExtensionCapability]| -> Vec<_> {
            list.iter().map(|it| it.uri.clone()).collect()
        };
        let refused = |message: &str| Err(Error::new(ErrorKind::InvalidModification, message));
        if uris(&before) != uris(extensions) {
            return refused("these are not the header extensions that there are");
        }
        let narrowed = |it: &&RtpHeaderExtensionCapability| {
            it.uri == Kind::Mid.uri() && it.direction != RtpTransceiverDirection::SendRecv
        };
        if extensions.iter().find(narrowed).is_some() {
            return refused("the mid is needed both ways");
        }
        let kind = self.described(id)?.0;
        let ours = convert::capabilities(kind).extensions;
        let chosen = ours.into_iter().zip(extensions).filter_map(|(own, it)| {
            let wanted = convert::direction(it.direction).ok()?;
            let direction = wanted.and(own.direction);
            let used = direction != jsep::sdp::Direction::Inactive;
            used.then_some(jsep::Extension { direction, ..own })
        });
        let chosen = convert::in_both_forms(chosen.collect(), &self.equipment.settings);
        let set = self.negotiation.negotiator.set_extensions(id.0, chosen);
        set.map_err(convert::negotiation_error)
    }

    /// `getNegotiatedHeaderExtensions()`: all that there are for its kind of media, each with the direction in which both ends use it;
    /// none before an answer.
    ///
    /// # Errors
    ///
    /// `InvalidState` when the transceiver is not in the connection any more.
    pub fn negotiated_header_extensions(
        &self,
        id: TransceiverId,
    ) -> Result<Vec<RtpHeaderExtensionCapability>, Error> {
        let (kind, described) = self.described(id)?;
        let agreement = described.agreement();
        // What an offer proposes is not agreed on yet.
        if agreement.direction.is_none() {
            return Ok(Vec::new());
        }
        let agreed = agreement.extensions.iter();
        let agreed: Vec<_> = agreed.map(|it| it.extension.clone()).collect();
        Ok(shown(&convert::capabilities(kind).extensions, &agreed))
    }

    fn described(&self, id: TransceiverId) -> Result<(MediaKind, &jsep::Transceiver), Error> {
        let kind = self.media.get(id).map(|it| it.kind);
        let described = self.negotiation.negotiator.transceiver(id.0);
        kind.zip(described).ok_or_else(no_transceiver)
    }
}

/// Each of ours, with the direction that it has among those that are `used`.
fn shown(ours: &[jsep::Extension], used: &[jsep::Extension]) -> Vec<RtpHeaderExtensionCapability> {
    let direction = |uri: &str| {
        let found = used.iter().find(|it| it.uri == uri);
        found.map_or(RtpTransceiverDirection::Stopped, |it| {
            convert::shown_direction(it.direction)
        })
    };
    ours.iter()
        .map(|it| RtpHeaderExtensionCapability {
            direction: direction(&it.uri),
            uri: it.uri.clone(),
        })
        .collect()
}
