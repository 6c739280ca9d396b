//! Whether a description of the peer can be accepted.

use oxirtc_sdp::Setup;

use crate::{
    Error, SdpType,
    layout::{Entry, Layout},
    table::Slot,
};

/// What holds for every description of the peer.
pub(crate) fn remote(layout: &Layout<'_>, kind: SdpType) -> Result<(), Error> {
    for (index, entry) in layout.entries.iter().enumerate() {
        if !entry.rejected {
            section(layout, index, entry, kind)?;
        }
    }
    Ok(())
}

fn section(
    layout: &Layout<'_>,
    index: usize,
    entry: &Entry<'_>,
    kind: SdpType,
) -> Result<(), Error> {
    // RFC 8827 §6.5: keys come from DTLS, never from the description, and nothing goes in the open
    if layout.has_keys(index) {
        return Err(Error::InvalidAccess(
            "keys in the description are not accepted",
        ));
    }
    let rtp = entry.media.protocol().contains("RTP/");
    if rtp && !entry.media.protocol().contains("SAVP") {
        return Err(Error::InvalidAccess("media in the open are not accepted"));
    }
    if !rtp && !entry.is_data() {
        return Ok(()); // nothing that we know: it is rejected, whatever it says
    }
    if !layout.has_fingerprint(index) {
        return Err(Error::InvalidAccess("a section has no fingerprint"));
    }
    if !layout.has_credentials(index) {
        return Err(Error::InvalidAccess("a section has no ICE credentials"));
    }
    // W3C §4.4.1.4: rtcpMuxPolicy is require
    if rtp && !layout.has_rtcp_mux(index) {
        return Err(Error::InvalidAccess("a section does not multiplex RTCP"));
    }
    match layout.setup(index) {
        // RFC 8842 §5.1
        Some(Setup::HoldConn) => Err(Error::InvalidAccess("a section holds its connection")),
        Some(Setup::ActPass) if kind != SdpType::Offer => {
            Err(Error::InvalidAccess("an answer leaves the DTLS role open"))
        }
        _ => Ok(()),
    }
}

/// An offer of the peer continues what was negotiated (RFC 9429 §5.10).
pub(crate) fn continues(layout: &Layout<'_>, slots: &[Slot]) -> Result<(), Error> {
    if layout.entries.len() < slots.len() {
        return Err(Error::InvalidAccess("a section is missing"));
    }
    for (slot, entry) in slots.iter().zip(&layout.entries) {
        // a rejected section may be used for anything new
        if slot.live {
            same_section(slot, entry)?;
        }
    }
    Ok(())
}

fn same_section(slot: &Slot, entry: &Entry<'_>) -> Result<(), Error> {
    if slot.media != entry.media.media() {
        return Err(Error::InvalidAccess("a section has changed its kind"));
    }
    let same = match entry.mid {
        Some(mid) => !slot.named || mid == slot.mid,
        None => !slot.named,
    };
    if same {
        Ok(())
    } else {
        Err(Error::InvalidAccess("a section has changed its mid"))
    }
}

/// An answer fits its offer (RFC 3264 §6, RFC 9143 §7.3).
pub(crate) fn answers(answer: &Layout<'_>, offer: &Layout<'_>) -> Result<(), Error> {
    if answer.entries.len() != offer.entries.len() {
        return Err(Error::InvalidAccess(
            "an answer has other sections than the offer",
        ));
    }
    let mut groups = Vec::new();
    for (index, (theirs, ours)) in answer.entries.iter().zip(&offer.entries).enumerate() {
        if theirs.media.media() != ours.media.media() {
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
            roles(answer.setup(index), offer.setup(index))?;
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

/// RFC 4145 §4.1: what an answer may say to each offer.
fn roles(answer: Option<Setup>, offer: Option<Setup>) -> Result<(), Error> {
    match (offer, answer) {
        (Some(Setup::Active), Some(Setup::Active))
        | (Some(Setup::Passive), Some(Setup::Passive)) => {
            Err(Error::InvalidAccess("both ends take the same DTLS role"))
        }
        _ => Ok(()),
    }
}
