//! Which sections live, and which of them share a transport (RFC 9143).

use std::collections::BTreeSet;

use crate::{
    BundlePolicy, Config,
    outline::{Entry, Outline},
    section::{Kind, Section, media_kind},
    signaling::Side,
};

/// Which sections of an offer live, by index. `serving` is the one that has the association.
pub(super) fn living(
    outline: &Outline,
    side: Side,
    serving: Option<usize>,
    config: &Config,
) -> Vec<bool> {
    let kinds: Vec<_> = outline.entries.iter().map(Kind::of).collect();
    let data = data_section(outline, &kinds, side, config, serving);
    let mut live: Vec<_> = (0..kinds.len()).map(|index| data == Some(index)).collect();
    for (index, live) in live.iter_mut().enumerate() {
        let free = side == Side::Local || !is_apart(outline, index, config);
        let taken = outline.entry(index).is_some_and(|entry| {
            let wanted = side == Side::Local || is_taken(entry, config);
            !entry.rejected && media_kind(entry).is_some() && wanted
        });
        *live |= free && taken;
    }
    for (index, kind) in kinds.iter().enumerate() {
        let stands = match side {
            // our own offer says what it means
            Side::Local => true,
            Side::Remote => carries_tag(outline, index, &live),
        };
        let rejected = outline.entry(index).is_none_or(|entry| entry.rejected);
        if let Some(live) = live.get_mut(index)
            && !rejected
            && kind.can_stand()
        {
            *live |= stands;
        }
    }
    if side == Side::Remote {
        bound_transports(outline, &mut live, config);
    }
    live
}

/// Leaves out sections for which a transport more is needed than there may be. Those that stand first are served first, so that what an
/// earlier offer was given it keeps.
fn bound_transports(outline: &Outline, live: &mut [bool], config: &Config) {
    let mut keys = BTreeSet::new();
    for (index, live) in live.iter_mut().enumerate().filter(|it| *it.1) {
        let key = outline.key(index);
        *live = keys.contains(&key) || keys.len() < config.most_transports;
        if *live {
            keys.insert(key);
        }
    }
}

/// Whether a section has the address of a group in which another lives.
///
/// With its rejection browsers would lose the others: Chromium refuses the answer, Firefox goes on with
/// an address that it has given up.
fn carries_tag(outline: &Outline, index: usize, live: &[bool]) -> bool {
    let Some(bundle) = outline.entry(index).and_then(|entry| entry.bundle) else {
        return false;
    };
    let members = outline.groups.get(bundle.group);
    let lives = |member: &usize| live.get(*member).is_some_and(|live| *live);
    bundle.tag == index && members.is_some_and(|members| members.iter().any(lives))
}

/// The section with data channels that is taken. There is one SCTP association: it stays in its
/// section, else the first is taken that is neither rejected nor to be refused.
fn data_section(
    outline: &Outline,
    kinds: &[Kind],
    side: Side,
    config: &Config,
    serving: Option<usize>,
) -> Option<usize> {
    let acceptable = |index: &usize| {
        let Some(entry) = outline.entry(*index) else {
            return false;
        };
        let free = side == Side::Local || !is_apart(outline, *index, config);
        let data = kinds.get(*index).is_some_and(Kind::is_data);
        !entry.rejected && data && free
    };
    serving
        .filter(acceptable)
        .or_else(|| (0..kinds.len()).find(acceptable))
}

/// Whether a section of the peer is not bundled with the first one, where it has to be.
// RFC 9429 §5.3.1: with max-bundle a section is in the group of the first one, or rejected
fn is_apart(outline: &Outline, index: usize, config: &Config) -> bool {
    let group = |index| {
        let bundle = outline.entry(index).and_then(|it| it.bundle);
        bundle.map(|it| it.group)
    };
    let first = outline.entries.iter().position(|it| !it.rejected);
    let first = first.unwrap_or_default();
    let bundled = index == first || (group(first).is_some() && group(index) == group(first));
    config.bundle_policy == BundlePolicy::MaxBundle && !bundled
}

/// Whether a section that is new in our offer has no address of its own. `before` stand before it.
pub(crate) fn is_bundle_only(new: &Section, before: &[&Section], policy: BundlePolicy) -> bool {
    let mut living = before.iter().filter(|section| section.live);
    match policy {
        BundlePolicy::MaxBundle => living.next().is_some(),
        BundlePolicy::Balanced => living.any(|it| it.line.media == new.line.media),
        BundlePolicy::MaxCompat => false,
    }
}

/// Whether a section of an offer is to use the transport of the tagged one from the start.
pub(super) fn joins(entry: &Entry, side: Side) -> bool {
    match side {
        Side::Local => entry.bundle_only,
        // what is offered to be bundled we bundle
        Side::Remote => true,
    }
}

/// Whether something can be done with a section of RTP.
pub(super) fn is_taken(entry: &Entry, config: &Config) -> bool {
    let Some(kind) = media_kind(entry) else {
        return false;
    };
    let ours = &config.capabilities(kind).codecs;
    let mut formats = entry.rtp.formats.iter();
    formats.any(|format| {
        !format.codec.is_auxiliary() && ours.iter().any(|it| it.is_answer_to(&format.codec))
    })
}
