//! How long a packet of Opus lasts (RFC 6716 §3.1).

use std::time::Duration;

/// How long a packet of Opus lasts; `None` when it is none.
pub fn duration(packet: &[u8]) -> Option<Duration> {
    samples(packet).map(|samples| Duration::from_micros(samples * 125 / 6))
}

/// Samples of 48 kHz.
pub(crate) fn samples(packet: &[u8]) -> Option<u64> {
    let [first, rest @ ..] = packet else {
        return None;
    };
    let configuration = first >> 3;
    let frame: u64 = match (configuration, configuration & 3) {
        // RFC 6716 §3.1, table 2: SILK, then both, then CELT.
        (0..=11, 3) => 2880,
        (0..=11, step) => 480 << step,
        (12..=15, step) => 480 << (step & 1),
        (_, step) => 120 << step,
    };
    let count = match first & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u64::from(rest.first()? & 0x3f),
    };
    let samples = frame * count;
    // RFC 6716 §3.2.5: 120 ms are the most.
    (samples > 0 && samples <= 5760).then_some(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_how_long_a_packet_lasts() {
        let cases: [(&[u8], Option<u64>); 7] = [
            (&[0x00], Some(480)),
            (&[0x18], Some(2880)),
            (&[0x78], Some(960)),
            (&[0xfc], Some(960)),
            (&[0x81, 0], Some(240)),
            (&[0xff, 0x86], Some(5760)),
            (&[0xff, 0x87], None),
        ];
        for (packet, samples) in cases {
            assert_eq!(super::samples(packet), samples, "{packet:?}");
        }
        assert_eq!((samples(&[]), samples(&[3])), (None, None));
        assert_eq!(duration(&[0xfc]), Some(Duration::from_millis(20)));
    }
}
