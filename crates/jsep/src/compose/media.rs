//! What sections of RTP say in offers and answers of ours.

use std::borrow::Cow;

use oxirtc_sdp::Direction;

use crate::{
    Codec, Codecs, Config, Encoding, Layer, Layers, MediaKind, NumberedExtension, SendEncoding,
    Transceiver, codec::Format, numbers::Numbers, outline::Outline, section::Lines,
};

/// What the section of a transceiver says in an offer. `None` rejects it. `fresh` is that no description has it, `noise` that comfort
/// noise is offered.
pub(super) fn offered(
    transceiver: &Transceiver,
    config: &Config,
    numbers: &mut Numbers,
    (fresh, noise): (bool, bool),
) -> Option<Lines> {
    let direction = transceiver.offered_direction()?;
    let agreement = transceiver.agreement();
    let capabilities = config.capabilities(transceiver.kind());
    let mut codecs = Cow::Borrowed(transceiver.codecs(&capabilities.codecs));
    if noise && transceiver.kind() == MediaKind::Audio {
        add_noise(&mut codecs);
    }
    let formats = numbers.formats(&codecs, &agreement.receive);
    let extensions = transceiver.extensions(&capabilities.extensions);
    // what is taken already goes on; a browser that is told nothing of its layers gives them up for good, also where it is only held
    let receive = plain(&agreement.layers.receive);
    let send = match direction.sends() {
        true => layers(transceiver.encodings()),
        false => Vec::new(),
    };
    let announced = announced(transceiver, &formats, direction.sends() && send.is_empty());
    Some(Lines {
        direction,
        extensions: numbers.extensions(extensions, &agreement.extensions, fresh || agreement.mixed),
        streams: streams(transceiver),
        layers: Layers { send, receive },
        announced: announced.map(|it| (it, config.cname.clone())),
        formats,
        mux_only: fresh,
        reduced_size: true,
        cryptex: config.cryptex,
    })
}

/// What the section of a transceiver says in an answer. `None` rejects it.
pub(super) fn answered(
    transceiver: &Transceiver,
    config: &Config,
    (offer, index): (&Outline, usize),
) -> Option<Lines> {
    let entry = offer.entry(index)?;
    let direction = transceiver.answered_direction(offer.direction(index))?;
    let capabilities = config.capabilities(transceiver.kind());
    let mut ours = Cow::Borrowed(transceiver.codecs(&capabilities.codecs));
    if transceiver.kind() == MediaKind::Audio {
        // RFC 7874 §3: beside a codec that has no noise of its own it is taken, where it was offered.
        add_noise(&mut ours);
    }
    let codecs = Codecs::associate(entry.rtp.formats.clone()).answer(&ours);
    if codecs.is_empty() {
        return None;
    }
    let formats = in_order(&codecs, transceiver, &entry.rtp.formats);
    let own = layers(transceiver.encodings());
    let mut layers = Layers::answer(&entry.rtp.layers, &own, &formats);
    if !direction.sends() {
        layers.send.clear();
    }
    let sends = offer.direction(index).sends();
    if !sends && layers.receive.is_empty() {
        // Firefox leaves out what it does not send for now, and gives up what an answer leaves out.
        layers.receive = plain(&transceiver.agreement().layers.receive);
    }
    let alone = direction.sends() && layers.send.is_empty();
    let announced = announced(transceiver, &formats, alone);
    Some(Lines {
        direction,
        extensions: NumberedExtension::answer(
            &entry.rtp.extensions,
            transceiver.extensions(&capabilities.extensions),
            offer.is_mixed(index),
        ),
        streams: streams(transceiver),
        layers,
        announced: announced.map(|it| (it, config.cname.clone())),
        formats,
        mux_only: false,
        reduced_size: entry.rtp.reduced_size,
        cryptex: config.cryptex && offer.is_cryptex(index),
    })
}

/// RFC 3389 §4: noise has the clock of what it stands in for, and its fixed payload type is for 8 kHz. Opus has its own.
fn add_noise(codecs: &mut Cow<'_, [Codec]>) {
    let narrow = |it: &Codec| it.clock_rate == NARROW && !it.is_auxiliary();
    if codecs.iter().any(narrow) && !codecs.iter().any(|it| it.is("CN")) {
        codecs.to_mut().push(Codec::new("CN", NARROW));
    }
}

/// The formats of an answer: in the order of the offer, or of the preferences that were set
/// (RFC 9429 §5.3.1), with those that serve them as the offer has them.
fn in_order(codecs: &Codecs, transceiver: &Transceiver, offered: &[Format]) -> Vec<Format> {
    let payloads: Vec<_> = codecs.payloads().collect();
    let taken = offered.iter().filter(|it| payloads.contains(&it.payload));
    let own = |format: &Format| {
        let mut media = codecs.media.iter();
        let own = media.find(|it| it.payload == format.payload);
        own.unwrap_or(format).clone()
    };
    let mut formats: Vec<_> = taken.map(own).collect();
    let preferences = transceiver.codec_preferences();
    if !preferences.is_empty() {
        let rank = |format: &Format| {
            let mut list = preferences.iter();
            list.position(|it| it.is_answer_to(&format.codec))
        };
        // a retransmission stands behind what it repeats
        let served = |format: &Format| {
            let mut rtx = codecs.rtx.iter();
            let of = rtx.find(|(_, payload)| *payload == format.payload);
            of.and_then(|(of, _)| offered.iter().find(|it| it.payload == *of))
        };
        formats.sort_by_key(|it| {
            let served = served(it);
            (
                rank(served.unwrap_or(it)).unwrap_or(usize::MAX),
                served.is_some(),
            )
        });
    }
    formats
}

/// RFC 9429 §5.3.1: also where the other end takes nothing, so that it need not be told again.
fn streams(transceiver: &Transceiver) -> Option<Vec<String>> {
    let sends = transceiver.direction().is_some_and(Direction::sends);
    sends.then(|| transceiver.streams().to_vec())
}

fn layers(encodings: &[Encoding]) -> Vec<Layer> {
    encodings.iter().filter_map(Encoding::layer).collect()
}

/// Without what the peer had said of them: in an offer that is ours to say.
fn plain(layers: &[Layer]) -> Vec<Layer> {
    let plain = layers.iter().map(|it| Layer::new(it.rid.clone()));
    plain.collect()
}

/// The stream that is announced, where it is the only one: the peer knows those of simulcast by their rids.
fn announced(transceiver: &Transceiver, formats: &[Format], alone: bool) -> Option<SendEncoding> {
    let codecs = Codecs::associate(formats.to_vec());
    let first = transceiver.encodings().first().filter(|_| alone)?;
    first.sent(!codecs.rtx.is_empty(), codecs.flexfec.is_some())
}

const NARROW: u32 = 8000;
