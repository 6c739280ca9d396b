//! Whether a description of the peer can be accepted.

use oxirtc_sdp::Setup;

use crate::{
    Error, SdpType,
    outline::{Entry, Outline},
    section::{Kind, Section},
};

/// What holds for every description of the peer.
pub(crate) fn remote(outline: &Outline, kind: SdpType) -> Result<(), Error> {
    for (index, entry) in outline.entries.iter().enumerate() {
        if !entry.rejected {
            section(outline, index, entry, kind)?;
        }
    }
    Ok(())
}

fn section(outline: &Outline, index: usize, entry: &Entry, kind: SdpType) -> Result<(), Error> {
    let rtp = match Kind::of(entry) {
        Kind::Data => false,
        Kind::Media(_) => true,
        Kind::Foreign => return Ok(()), // it is rejected, whatever it says
    };
    // RFC 8827 §6.5: keys come from DTLS, whatever the profile says (RFC 9429 §5.1.2); those that stand in the
    // description are not looked at
    if outline.fingerprints(index).is_empty() {
        return Err(Error::InvalidAccess("a section has no fingerprint"));
    }
    if outline.has_odd_credentials(index) {
        return Err(Error::InvalidAccess("malformed ICE credentials"));
    }
    if outline.credentials(index).is_none() {
        return Err(Error::InvalidAccess("a section has no ICE credentials"));
    }
    // W3C §4.4.1.4: rtcpMuxPolicy is require
    if rtp && !outline.has_rtcp_mux(index) {
        return Err(Error::InvalidAccess("a section does not multiplex RTCP"));
    }
    match outline.setup(index) {
        // RFC 8842 §5.1
        Some(Setup::HoldConn) => Err(Error::InvalidAccess("a section holds its connection")),
        Some(Setup::ActPass) if kind != SdpType::Offer => {
            Err(Error::InvalidAccess("an answer leaves the DTLS role open"))
        }
        _ => Ok(()),
    }
}

/// An offer of the peer continues what was negotiated (RFC 9429 §5.10).
pub(crate) fn continues(outline: &Outline, sections: &[Section]) -> Result<(), Error> {
    if outline.entries.len() < sections.len() {
        return Err(Error::InvalidAccess("a section is missing"));
    }
    for (section, entry) in sections.iter().zip(&outline.entries) {
        // a rejected section may be used for anything new
        if !section.live {
            continue;
        }
        if section.line.media != entry.media {
            return Err(Error::InvalidAccess("a section has changed its kind"));
        }
        if !section.is(entry) {
            return Err(Error::InvalidAccess("a section has changed its mid"));
        }
    }
    Ok(())
}

/// An answer fits its offer (RFC 3264 §6, RFC 9143 §7.3).
pub(crate) fn answers(answer: &Outline, offer: &Outline) -> Result<(), Error> {
    if answer.entries.len() != offer.entries.len() {
        return Err(Error::InvalidAccess(
            "an answer has other sections than the offer",
        ));
    }
    let mut groups = Vec::new();
    for (theirs, ours) in answer.entries.iter().zip(&offer.entries) {
        if theirs.media != ours.media {
            return Err(Error::InvalidAccess(
                "an answer changes the kind of a section",
            ));
        }
        if theirs.mid.is_some() && theirs.mid != ours.mid {
            return Err(Error::InvalidAccess("an answer changes a mid"));
        }
        if ours.rejected && !theirs.rejected {
            return Err(Error::InvalidAccess(
                "an answer accepts what was not offered",
            ));
        }
        if !theirs.rejected {
            // RFC 9429 §5.8.3, RFC 8841 §10.3
            if theirs.protocol != ours.protocol {
                return Err(Error::InvalidAccess(
                    "an answer changes the protocol of a section",
                ));
            }
        }
        let Some(bundle) = theirs.bundle else {
            continue;
        };
        let Some(offered) = ours.bundle else {
            return Err(Error::InvalidAccess(
                "an answer bundles what was not offered to be",
            ));
        };
        // RFC 9143 §7.3: a group of the answer is part of one group of the offer
        match groups.iter().find(|(group, _)| *group == bundle.group) {
            Some((_, of)) if *of != offered.group => {
                return Err(Error::InvalidAccess("an answer joins bundle groups"));
            }
            Some(_) => {}
            None => groups.push((bundle.group, offered.group)),
        }
    }
    Ok(())
}
