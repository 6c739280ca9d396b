//! A codec, and the payload type that it has.

use std::{collections::BTreeMap, fmt};

use oxirtc_sdp::{Fmtp, Payload, RtcpFeedback, RtpMap};

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

/// What the lines of a section say of its formats, as long as it is read.
#[derive(Default)]
pub(crate) struct FormatLines<'a> {
    own: BTreeMap<u8, Own<'a>>,
    /// Of every format.
    feedback: Vec<Placed<'a>>,
    /// How many lines of feedback there were.
    lines: usize,
}

/// What is said of one payload type.
#[derive(Default)]
struct Own<'a> {
    map: Option<RtpMap<'a>>,
    parameters: Option<&'a str>,
    feedback: Vec<Placed<'a>>,
}

/// The place of a line among those of feedback, its kind and its parameter.
type Placed<'a> = (usize, (&'a str, Option<&'a str>));

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

impl<'a> FormatLines<'a> {
    /// Keeps the first line that says what a payload type means.
    pub(crate) fn keep_map(&mut self, line: RtpMap<'a>) {
        let own = self.own(line.payload);
        own.map = own.map.or(Some(line));
    }

    /// Keeps the first line with the parameters of a payload type.
    pub(crate) fn keep_parameters(&mut self, line: Fmtp<'a>) {
        if let Some(payload) = line.format.parse().ok().filter(|it| *it <= LAST) {
            let own = self.own(payload);
            own.parameters = own.parameters.or(Some(line.parameters));
        }
    }

    /// Keeps feedback that is not known yet, as much as anybody means.
    pub(crate) fn keep_feedback(&mut self, line: RtcpFeedback<'a>) {
        self.lines += 1;
        let place = self.lines;
        let list = match line.payload {
            Payload::All => &mut self.feedback,
            Payload::Type(payload) => &mut self.own(payload).feedback,
        };
        let feedback = (line.kind, line.parameter);
        let length = line.kind.len() + line.parameter.map_or(0, str::len);
        let known = list.iter().any(|it| it.1 == feedback);
        if length <= LONGEST_FEEDBACK && list.len() < MOST_FEEDBACK && !known {
            list.push((place, feedback));
        }
    }

    /// The formats in the order of the `m=` line. A dynamic format of which nothing is said is left out, as it means nothing, and so is
    /// one whose packets could not be told from RTCP.
    pub(crate) fn read(mut self, payloads: impl Iterator<Item = u8>) -> Vec<Format> {
        let mut formats = Vec::new();
        let mut seen = 0_u128;
        // what is said once of all formats is not copied without end
        let mut copies = MOST_COPIES;
        // RFC 5761 §4: beside RTCP on one port, as it always is here, 64 to 95 would be taken for it
        let usable = |payload: &u8| matches!(payload, 0..=63 | 96..=LAST);
        for payload in payloads.filter(usable) {
            // each once, so that a line of many costs no more than its length
            let bit = 1_u128 << payload;
            if seen & bit != 0 {
                continue;
            }
            seen |= bit;
            let own = self.own.remove(&payload).unwrap_or_default();
            let codec = own
                .map
                .map(|it| of_map(&it))
                .or_else(|| fixed::name(payload).map(|(name, rate)| Codec::new(name, rate)));
            let Some(mut codec) = codec else {
                continue;
            };
            codec.parameters = own.parameters.map(str::to_owned);
            let is_new = |it: &&Placed<'_>| own.feedback.iter().all(|own| own.1 != it.1);
            let mut feedback: Vec<_> = self.feedback.iter().filter(is_new).take(copies).collect();
            copies -= feedback.len();
            feedback.extend(&own.feedback);
            feedback.sort_by_key(|it| it.0);
            codec.feedback = feedback
                .into_iter()
                .map(|(_, (kind, parameter))| match parameter {
                    Some(parameter) => format!("{kind} {parameter}"),
                    None => (*kind).to_owned(),
                })
                .collect();
            formats.push(Format { payload, codec });
        }
        formats
    }

    fn own(&mut self, payload: u8) -> &mut Own<'a> {
        self.own.entry(payload).or_default()
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

/// The last payload type (RFC 3550 §5.1).
const LAST: u8 = 127;

/// The most feedback of a format, and as much that is said of every format; and how often in a section that is copied.
const MOST_FEEDBACK: usize = 32;
const MOST_COPIES: usize = 512;

/// The longest kind with its parameter.
const LONGEST_FEEDBACK: usize = 64;
