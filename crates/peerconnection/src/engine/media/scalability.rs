//! The names of layers within a stream (WebRTC SVC §5).

use crate::RtpCodec;

/// Whether this is a scalability mode, and one of the codec where that is chosen.
pub(super) fn is_mode_of(mode: &str, codec: Option<&RtpCodec>) -> bool {
    let Some((spatial, _)) = layers(mode) else {
        return false;
    };
    let name = codec.and_then(|it| it.mime_type.split_once('/'));
    let temporal_only = |name: &str| {
        let mut names = TEMPORAL_ONLY.iter();
        names.any(|it| it.eq_ignore_ascii_case(name))
    };
    spatial == 1 || !name.is_some_and(|(_, name)| temporal_only(name))
}

/// How many spatial and temporal layers a mode has; `None` when it is none.
fn layers(mode: &str) -> Option<(u8, u8)> {
    // `S` has a stream for each size, `L` layers that build on each other.
    let (simulcast, rest) = match mode.strip_prefix('S') {
        Some(rest) => (true, rest),
        None => (false, mode.strip_prefix('L')?),
    };
    let (spatial, rest) = rest.split_once('T')?;
    let (temporal, suffix) = rest.split_at_checked(1)?;
    let count = |text: &str| match text {
        "1" => Some(1),
        "2" => Some(2),
        "3" => Some(3),
        _ => None,
    };
    let (spatial, temporal) = (count(spatial)?, count(temporal)?);
    let fits = match suffix {
        "" => !simulcast || spatial > 1,
        "h" => spatial > 1,
        "_KEY" => !simulcast && spatial > 1,
        "_KEY_SHIFT" => !simulcast && spatial > 1 && temporal > 1,
        _ => false,
    };
    fits.then_some((spatial, temporal))
}

/// Codecs whose streams have one size.
const TEMPORAL_ONLY: [&str; 3] = ["VP8", "H264", "H265"];

#[cfg(test)]
mod tests {
    use super::*;

    /// [5.2.6-04]
    #[test]
    fn modes_are_those_of_the_table() {
        for mode in [
            "L1T1",
            "L1T3",
            "L2T1",
            "L3T3h",
            "L2T2_KEY",
            "L3T3_KEY_SHIFT",
            "S2T1",
            "S3T3h",
        ] {
            assert!(is_mode_of(mode, None), "{mode}");
        }
        let wrong = [
            "",
            "L",
            "L1",
            "L1T",
            "L0T1",
            "L4T1",
            "L1T4",
            "L11T1",
            "S1T1",
            "L1T1h",
            "L1T2_KEY",
            "L2T1_KEY_SHIFT",
            "S2T2_KEY",
            "l1t1",
            "L1T1 ",
            "L1Tü",
        ];
        for mode in wrong {
            assert!(!is_mode_of(mode, None), "{mode}");
        }
    }

    #[test]
    fn a_codec_of_one_size_has_no_spatial_layers() {
        let codec = |name: &str| RtpCodec {
            mime_type: format!("video/{name}"),
            clock_rate: 90_000,
            channels: None,
            sdp_fmtp_line: None,
        };
        for (name, spatial) in [
            ("vp8", false),
            ("H264", false),
            ("VP9", true),
            ("AV1", true),
        ] {
            assert!(is_mode_of("L1T3", Some(&codec(name))), "{name}");
            assert_eq!(
                is_mode_of("L3T3_KEY", Some(&codec(name))),
                spatial,
                "{name}"
            );
        }
    }
}
