//! Opus (RFC 6716, 7587): how long a packet plays.

use std::time::Duration;

/// How long a packet plays (RFC 6716 §3.1): `None` if it is none, or plays longer than 120 ms.
pub fn duration(packet: &[u8]) -> Option<Duration> {
    let first = *packet.first()?;
    let config = first >> 3;
    let micros = match (config, config % 4) {
        (12..16, step) => 10_000 << (step % 2),
        (0..12, 3) => 60_000,
        (0..12, step) => 10_000 << step,
        (_, step) => 2_500 << step,
    };
    let frames = match first & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u64::from(packet.get(1)? & 63),
    };
    let whole = micros * frames;
    (1..=120_000)
        .contains(&whole)
        .then(|| Duration::from_micros(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plays_as_long_as_it_says() {
        let ms = |packet: &[u8]| duration(packet).map(|it| it.as_micros());
        assert_eq!(ms(&[0x78]), Some(20_000));
        assert_eq!(ms(&[0x79]), Some(40_000));
        assert_eq!(ms(&[0x80]), Some(2_500));
        assert_eq!(ms(&[0x1b, 2]), Some(120_000));
        assert_eq!(ms(&[0x1b, 3]), None, "180 ms");
        assert_eq!(ms(&[0x1b, 0]), None);
        assert_eq!((ms(&[]), ms(&[0x03])), (None, None));
    }
}
