//! Which formats serve which: found once, where a section is read.

use super::{
    Codec, Format,
    fmtp::{Parameters, answered},
};

/// The formats of a section, each in its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Codecs {
    /// Those that carry media, in order of preference.
    pub media: Vec<Format>,
    /// Retransmission (RFC 4588): the payload type of `media` or of `red`, and its own.
    pub rtx: Vec<(u8, u8)>,
    /// Redundancy (RFC 2198).
    pub red: Option<Red>,
    /// Correction (RFC 5109).
    pub ulpfec: Option<u8>,
    /// Correction, `flexfec-03`.
    pub flexfec: Option<u8>,
    /// Telephone events (RFC 4733) by clock rate.
    pub events: Vec<(u32, u8)>,
    /// Comfort noise (RFC 3389) by clock rate.
    pub noise: Vec<(u32, u8)>,
}

/// Redundancy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Red {
    /// Its payload type.
    pub payload: u8,
    /// The payload type that it repeats; absent for video, where it is a wrapper of any.
    pub of: Option<u8>,
    /// It stands before what it repeats: that is what it is to be sent as.
    pub preferred: bool,
}

impl Codecs {
    /// Puts formats in their places. What serves a format that is not there is left out, and of two that
    /// serve the same the first is taken.
    pub fn associate(formats: Vec<Format>) -> Self {
        let mut codecs = Self::default();
        let mut repairs = Vec::new();
        for format in formats {
            let Format { payload, codec } = &format;
            let (payload, rate) = (*payload, codec.clock_rate);
            if codec.is("rtx") {
                repairs.extend(apt(codec).map(|of| (of, payload)));
            } else if codec.is("red") {
                let of = repeated(codec);
                let carried = |it: &Format| of.is_none_or(|of| of == it.payload);
                codecs.red = codecs.red.or(Some(Red {
                    payload,
                    of,
                    preferred: !codecs.media.iter().any(carried),
                }));
            } else if codec.is("ulpfec") {
                codecs.ulpfec = codecs.ulpfec.or(Some(payload));
            } else if codec.is("flexfec-03") {
                codecs.flexfec = codecs.flexfec.or(Some(payload));
            } else if codec.is("telephone-event") {
                add(&mut codecs.events, rate, payload);
            } else if codec.is("CN") {
                add(&mut codecs.noise, rate, payload);
            } else {
                codecs.media.push(format);
            }
        }
        // RFC 2198 §5: what is repeated is one of the section's formats
        let carried = |payload: u8| codecs.media.iter().any(|it| it.payload == payload);
        codecs.red = codecs.red.filter(|red| red.of.is_none_or(carried));
        for (of, payload) in repairs {
            let red = codecs.red.is_some_and(|red| red.payload == of);
            let media = codecs.media.iter().any(|it| it.payload == of);
            let first = codecs.rtx.iter().all(|(known, _)| *known != of);
            if first && (red || media) {
                codecs.rtx.push((of, payload));
            }
        }
        codecs
    }

    /// The retransmission of a payload type.
    pub fn rtx_of(&self, payload: u8) -> Option<u8> {
        let mut rtx = self.rtx.iter();
        rtx.find(|(of, _)| *of == payload).map(|(_, rtx)| *rtx)
    }

    /// What an answer takes of an offer, by what we can do (`ours`, in our order): the offer's payload
    /// types, its order, and the feedback that both know.
    #[must_use]
    pub fn answer(&self, ours: &[Codec]) -> Self {
        let answer_to = |offered: &Codec| ours.iter().find(|it| it.is_answer_to(offered));
        let media: Vec<_> = self
            .media
            .iter()
            .filter_map(|offered| {
                let mut codec = answer_to(&offered.codec)?.clone();
                codec.parameters = answered(&codec, &offered.codec);
                codec.name.clone_from(&offered.codec.name);
                codec.channels = offered.codec.channels;
                codec
                    .feedback
                    .retain(|it| offered.codec.feedback.contains(it));
                Some(Format {
                    payload: offered.payload,
                    codec,
                })
            })
            .collect();
        let knows = |name: &str| ours.iter().any(|it| it.is(name));
        let carried = |payload: u8| media.iter().any(|it| it.payload == payload);
        let red = self
            .red
            .filter(|red| knows("red") && red.of.is_none_or(carried));
        let served = |of: u8| carried(of) || red.is_some_and(|red| red.payload == of);
        let rated = |name: &str, rate: u32| {
            let at = |it: &Codec| it.is(name) && it.clock_rate == rate;
            ours.iter().any(at) && media.iter().any(|it| it.codec.clock_rate == rate)
        };
        let at_rates = |name: &str, list: &[(u32, u8)]| {
            let list = list.iter().copied();
            list.filter(|(rate, _)| rated(name, *rate)).collect()
        };
        Self {
            rtx: match knows("rtx") {
                true => self
                    .rtx
                    .iter()
                    .copied()
                    .filter(|(of, _)| served(*of))
                    .collect(),
                false => Vec::new(),
            },
            // RFC 5109 §14: as browsers have it, correction goes inside of redundancy
            ulpfec: self.ulpfec.filter(|_| knows("ulpfec") && red.is_some()),
            flexfec: self.flexfec.filter(|_| knows("flexfec-03")),
            events: at_rates("telephone-event", &self.events),
            noise: at_rates("CN", &self.noise),
            red,
            media,
        }
    }

    /// Whether there is nothing that carries media.
    pub fn is_empty(&self) -> bool {
        self.media.is_empty()
    }
}

/// RFC 4588 §8.6: the payload type that is retransmitted.
fn apt(codec: &Codec) -> Option<u8> {
    let parameters = codec.parameters.as_deref()?;
    Parameters::read(parameters).get("apt")?.parse().ok()
}

/// RFC 2198 §5: `111/111`, of which browsers write one and the same.
fn repeated(codec: &Codec) -> Option<u8> {
    let parameters = codec.parameters.as_deref()?;
    parameters.split('/').next()?.trim_ascii().parse().ok()
}

fn add(list: &mut Vec<(u32, u8)>, rate: u32, payload: u8) {
    if list.iter().all(|(known, _)| *known != rate) {
        list.push((rate, payload));
    }
}
