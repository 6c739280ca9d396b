//! A codec, and the payload type that it has.

use std::fmt;

use oxirtc_sdp::{Fmtp, RtpMap};

use super::fixed;

/// A codec: W3C's `RTCRtpCodec`, and the feedback that goes with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Codec {
    /// The encoding name of `a=rtpmap`: `VP8`, `opus`, `rtx`. It has no case.
    pub name: String,
    /// Ticks a second.
    pub clock_rate: u32,
    /// Of audio; absent is one.
    pub channels: Option<u16>,
    /// What stands in `a=fmtp`.
    pub parameters: Option<String>,
    /// What stands in `a=rtcp-fb`: `nack`, `nack pli`, `transport-cc`.
    pub feedback: Vec<String>,
}

/// A codec with the payload type that it has in a section.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Format {
    /// The payload type, at most 127.
    pub payload: u8,
    /// What it means.
    pub codec: Codec,
}

impl Codec {
    /// A codec without parameters and feedback.
    pub fn new(name: impl Into<String>, clock_rate: u32) -> Self {
        Self {
            name: name.into(),
            clock_rate,
            channels: None,
            parameters: None,
            feedback: Vec::new(),
        }
    }

    /// With this number of channels.
    #[must_use]
    pub fn channels(mut self, channels: u16) -> Self {
        self.channels = Some(channels);
        self
    }

    /// With these parameters, as they stand in `a=fmtp`.
    #[must_use]
    pub fn parameters(mut self, parameters: impl Into<String>) -> Self {
        self.parameters = Some(parameters.into());
        self
    }

    /// With this feedback, as it stands in `a=rtcp-fb`.
    #[must_use]
    pub fn feedback<'a>(mut self, feedback: impl IntoIterator<Item = &'a str>) -> Self {
        self.feedback = feedback.into_iter().map(str::to_owned).collect();
        self
    }

    /// Whether it serves other codecs and carries no media of its own: retransmission, redundancy,
    /// correction, tones, noise.
    pub fn is_auxiliary(&self) -> bool {
        AUXILIARY.iter().any(|it| self.is(it))
    }

    /// Whether this is its name.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

impl Format {
    /// What the lines of a section say of its formats, in the order of its `m=` line. A dynamic format of
    /// which nothing is said is left out, as it means nothing.
    pub(crate) fn read<'a>(
        payloads: impl Iterator<Item = u8>,
        maps: &[RtpMap<'a>],
        parameters: &[Fmtp<'a>],
        feedback: &[oxirtc_sdp::RtcpFeedback<'a>],
    ) -> Vec<Self> {
        let mut formats: Vec<Self> = Vec::new();
        let mut seen = 0_u128;
        for payload in payloads.filter(|it| *it <= 127) {
            // each once, so that a line of many costs no more than its length
            let bit = 1_u128 << payload;
            if seen & bit != 0 {
                continue;
            }
            seen |= bit;
            let map = maps.iter().find(|it| it.payload == payload);
            let codec = map
                .map(of_map)
                .or_else(|| fixed::name(payload).map(|(name, rate)| Codec::new(name, rate)));
            let Some(mut codec) = codec else {
                continue;
            };
            let mut parameters = parameters.iter();
            let own = parameters.find(|it| it.format.parse() == Ok(payload));
            codec.parameters = own.map(|it| it.parameters.to_owned());
            let feedback = feedback.iter().filter(|it| match it.payload {
                oxirtc_sdp::Payload::All => true,
                oxirtc_sdp::Payload::Type(of) => of == payload,
            });
            codec.feedback = feedback
                .map(|it| match it.parameter {
                    Some(parameter) => format!("{} {parameter}", it.kind),
                    None => it.kind.to_owned(),
                })
                .collect();
            formats.push(Self { payload, codec });
        }
        formats
    }
}

fn of_map(map: &RtpMap<'_>) -> Codec {
    Codec {
        name: map.encoding.to_owned(),
        clock_rate: map.clock_rate,
        channels: map.parameters.and_then(|it| it.parse().ok()),
        parameters: None,
        feedback: Vec::new(),
    }
}

impl fmt::Display for Codec {
    /// As it stands in `a=rtpmap` behind the payload type.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.clock_rate)?;
        self.channels
            .map_or(Ok(()), |channels| write!(f, "/{channels}"))
    }
}

const AUXILIARY: [&str; 6] = [
    "rtx",
    "red",
    "ulpfec",
    "flexfec-03",
    "telephone-event",
    "CN",
];
