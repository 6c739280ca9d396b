//! Parameters of formats: which of them must be equal, and what one means that is not there.

use super::Codec;

/// How a parameter of two ends compares.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Both ends have the same value.
    Symmetric,
    /// Each end says what it can receive: a level.
    Asymmetric,
}

/// Name and value pairs, or what is none.
pub(super) enum Parameters<'a> {
    Pairs(Vec<(&'a str, &'a str)>),
    /// `0-15`, `111/111`
    Plain(&'a str),
}

impl<'a> Parameters<'a> {
    pub(super) fn read(text: &'a str) -> Self {
        let pairs = text.split(';').map(str::trim_ascii);
        let pairs = pairs.filter(|pair| !pair.is_empty());
        let pairs: Option<Vec<_>> = pairs
            .map(|pair| {
                let (name, value) = pair.split_once('=')?;
                Some((name.trim_ascii(), value.trim_ascii()))
            })
            .collect();
        pairs.map_or_else(|| Self::Plain(text.trim_ascii()), Self::Pairs)
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        let Self::Pairs(pairs) = self else {
            return None;
        };
        let mut pairs = pairs.iter();
        pairs
            .find(|(it, _)| it.eq_ignore_ascii_case(name))
            .map(|(_, value)| *value)
    }
}

/// The parameters of a codec that make it another one: name, rule, and what its absence means.
pub(super) fn rules(codec: &Codec) -> &'static [(&'static str, Rule, &'static str)] {
    let mut table = RULES.iter();
    table
        .find(|(name, _)| codec.is(name))
        .map_or(&[], |(_, rules)| rules)
}

/// The profile and the level of H.264's `profile-level-id`.
///
/// Different numbers are one profile (RFC 6184 §8.1, table 5), so a name stands for those.
pub(super) fn h264(value: &str) -> Option<(H264Profile, u8)> {
    let bytes = value.get(..6).filter(|_| value.len() == 6)?;
    let byte = |at: usize| u8::from_str_radix(bytes.get(at..at + 2)?, 16).ok();
    let (idc, iop, level) = (byte(0)?, byte(2)?, byte(4)?);
    let named = H264_PROFILES
        .iter()
        .find(|(of, mask, bits, _)| *of == idc && iop & mask == *bits)
        .map(|(.., name)| H264Profile::Named(name));
    Some((named.unwrap_or(H264Profile::Numbers(idc, iop)), level))
}

/// The parameters of an answer of ours: those of our codec. A profile of H.264 has several names, of which the
/// one of the offer is repeated; levels are those of each end where both allow it, else the lower one
/// (RFC 6184 §8.2.2).
pub(super) fn answered(ours: &Codec, offered: &Codec) -> Option<String> {
    let own = ours.parameters.clone()?;
    if !ours.is("H264") {
        return Some(own);
    }
    let theirs = offered.parameters.clone().unwrap_or_default();
    let (Parameters::Pairs(own), theirs) = (Parameters::read(&own), Parameters::read(&theirs))
    else {
        return Some(own);
    };
    let wanted = theirs.get("profile-level-id").unwrap_or(H264_DEFAULT);
    let allows = |pairs: &[(&str, &str)]| pairs.contains(&("level-asymmetry-allowed", "1"));
    let both = matches!(&theirs, Parameters::Pairs(theirs) if allows(theirs)) && allows(&own);
    let written = own.iter().map(|(name, value)| {
        let levels = (h264(value), h264(wanted));
        match (name.eq_ignore_ascii_case("profile-level-id"), levels) {
            (true, (Some((_, own)), Some((_, theirs)))) => {
                let level = if both { own } else { own.min(theirs) };
                let profile = wanted.get(..4).unwrap_or_default();
                format!("{name}={profile}{level:02x}")
            }
            _ => format!("{name}={value}"),
        }
    });
    Some(written.collect::<Vec<_>>().join(";"))
}

/// A profile of H.264.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum H264Profile {
    Named(&'static str),
    Numbers(u8, u8),
}

/// RFC 6184 §8.1: the baseline profile at level 1.
const H264_DEFAULT: &str = "42000A";

type Rules = &'static [(&'static str, Rule, &'static str)];

const RULES: [(&str, Rules); 4] = [
    (
        "H264",
        &[
            // RFC 6184 §8.1
            ("packetization-mode", Rule::Symmetric, "0"),
            ("profile-level-id", Rule::Symmetric, H264_DEFAULT),
        ],
    ),
    (
        "H265",
        &[
            // RFC 7798 §7.1
            ("profile-space", Rule::Symmetric, "0"),
            ("profile-id", Rule::Symmetric, "1"),
            ("tier-flag", Rule::Symmetric, "0"),
            ("tx-mode", Rule::Symmetric, "SRST"),
            ("level-id", Rule::Asymmetric, "93"),
        ],
    ),
    // RFC 9628 §6.1
    ("VP9", &[("profile-id", Rule::Symmetric, "0")]),
    (
        "AV1",
        &[
            ("profile", Rule::Asymmetric, "0"),
            ("level-idx", Rule::Asymmetric, "5"),
            ("tier", Rule::Asymmetric, "0"),
        ],
    ),
];

/// profile_idc, the bits of profile-iop that count, their values, and the profile.
const H264_PROFILES: [(u8, u8, u8, &str); 8] = [
    (0x42, 0x4F, 0x40, "constrained baseline"),
    (0x4D, 0x8F, 0x80, "constrained baseline"),
    (0x58, 0xCF, 0xC0, "constrained baseline"),
    (0x42, 0x4F, 0x00, "baseline"),
    (0x58, 0xCF, 0x80, "baseline"),
    (0x4D, 0xAF, 0x00, "main"),
    (0x58, 0xCF, 0x00, "extended"),
    (0x64, 0xFF, 0x00, "high"),
];
