//! What SCTP agrees on with a browser, as its packets show it: pieces of messages between others (I-DATA, RFC 8260), packets
//! without checksums (RFC 9653), and INIT chunks that travel in descriptions (SNAP). What the browser has is taken up, and declined.

use anyhow::ensure;
use oxirtc_peerconnection::engine::Settings;
use serde_json::json;

use super::call::{Call, Setup, Side};
use super::suite::Suite;
use super::{heard, transfer};

/// What one end has sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// INIT or INIT ACK.
    set_up: bool,
    /// They say that it knows I-DATA.
    pub(crate) offers_i_data: bool,
    /// They say that it takes packets without checksums.
    offers_unchecked: bool,
    /// Chunks with a piece of a message each.
    pub(crate) data: usize,
    pub(crate) i_data: usize,
    /// Packets with such chunks.
    checked: usize,
    unchecked: usize,
}

/// What is to be seen.
struct Expected {
    i_data: bool,
    set_up: bool,
}

/// Nothing is declined: Firefox knows I-DATA, Chromium does not without its trial.
pub(crate) async fn as_it_comes(suite: &Suite) -> anyhow::Result<()> {
    let expected = Expected {
        i_data: suite.is_firefox(),
        set_up: true,
    };
    agrees(suite, Settings::default(), &expected).await
}

pub(crate) async fn without_i_data(suite: &Suite) -> anyhow::Result<()> {
    let expected = Expected {
        i_data: false,
        set_up: true,
    };
    agrees(suite, Settings::default().interleaving(false), &expected).await
}

pub(crate) async fn with_checksums(suite: &Suite) -> anyhow::Result<()> {
    let expected = Expected {
        i_data: suite.is_firefox(),
        set_up: true,
    };
    agrees(suite, Settings::default().zero_checksum(false), &expected).await
}

/// Chromium's trials: I-DATA is agreed on, SNAP is declined by us.
pub(crate) async fn trial_of_i_data(suite: &Suite) -> anyhow::Result<()> {
    let expected = Expected {
        i_data: true,
        set_up: true,
    };
    agrees(suite, Settings::default(), &expected).await
}

/// Chromium's trials: both are agreed on. Nobody sends an INIT.
pub(crate) async fn trial_of_snap(suite: &Suite) -> anyhow::Result<()> {
    let expected = Expected {
        i_data: true,
        set_up: false,
    };
    agrees(suite, Settings::default().snap(true), &expected).await
}

/// Chromium's trials: all is declined.
pub(crate) async fn trials_declined(suite: &Suite) -> anyhow::Result<()> {
    let expected = Expected {
        i_data: false,
        set_up: true,
    };
    let settings = Settings::default().interleaving(false).zero_checksum(false);
    agrees(suite, settings, &expected).await
}

/// Bytes go each way, in messages of 64 KiB, and every packet is looked at.
async fn agrees(suite: &Suite, settings: Settings, expected: &Expected) -> anyhow::Result<()> {
    heard::listen_to_packets();
    let call = Call::start_with(suite, Setup::default(), settings).await?;
    let channel = call.channel(Side::Browser, "bulk", json!({})).await?;
    transfer::both_ways(&call, &channel, 256 << 10, async |_| Ok(())).await?;
    call.end().await?;
    let [ours, theirs] = &seen();
    for (who, sent) in [("we", ours), ("the browser", theirs)] {
        println!("     {who}: {sent:?}");
        ensure!(
            sent.set_up == expected.set_up,
            "{who} sent an INIT, or none"
        );
        let (used, unused) = match expected.i_data {
            true => (sent.i_data, sent.data),
            false => (sent.data, sent.i_data),
        };
        ensure!(used > 0 && unused == 0, "{who}: {sent:?}");
        // Neither browser takes packets without checksums, so ours have them as well.
        ensure!(sent.checked > 0 && sent.unchecked == 0, "{who}: {sent:?}");
    }
    ensure!(
        !theirs.offers_unchecked,
        "the browser takes packets without checksums"
    );
    // RFC 8260 §2.2.1: used is what both have offered, and only that.
    let both = ours.offers_i_data && theirs.offers_i_data;
    ensure!(!expected.set_up || both == expected.i_data);
    Ok(())
}

/// What we have sent since packets are listened to, and what the other end has.
pub(crate) fn seen() -> [Sent; 2] {
    let mut ends = [Sent::default(), Sent::default()];
    let [ours, theirs] = &mut ends;
    for (from_us, packet) in heard::packets() {
        let sent = if from_us { &mut *ours } else { &mut *theirs };
        sent.read(&packet);
    }
    ends
}

impl Sent {
    fn read(&mut self, packet: &[u8]) {
        let is_unchecked = packet.get(8..12) == Some(&[0; 4]);
        let mut carries = false;
        for (kind, value) in items(packet.get(12..).unwrap_or_default(), 1) {
            match kind {
                DATA => self.data += 1,
                I_DATA => self.i_data += 1,
                INIT | INIT_ACK => self.read_parameters(value.get(16..).unwrap_or_default()),
                _ => {}
            }
            carries |= [DATA, I_DATA].contains(&kind);
        }
        self.unchecked += usize::from(carries && is_unchecked);
        self.checked += usize::from(carries && !is_unchecked);
    }

    fn read_parameters(&mut self, parameters: &[u8]) {
        self.set_up = true;
        for (kind, value) in items(parameters, 2) {
            match kind {
                SUPPORTED_EXTENSIONS => self.offers_i_data |= value.contains(&(I_DATA as u8)),
                ZERO_CHECKSUM => self.offers_unchecked |= value == OVER_DTLS,
                _ => {}
            }
        }
    }
}

/// Chunks or parameters, whose types have that many bytes: both have their length at the third byte, and stand at
/// multiples of four.
fn items(mut rest: &[u8], type_length: usize) -> Vec<(u16, &[u8])> {
    let mut items = Vec::new();
    while let [first, second, high, low, ..] = *rest {
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some(value) = rest.get(4..length) else {
            break;
        };
        let kind = match type_length {
            1 => u16::from(first),
            _ => u16::from_be_bytes([first, second]),
        };
        items.push((kind, value));
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    items
}

const DATA: u16 = 0;
const INIT: u16 = 1;
const INIT_ACK: u16 = 2;
const I_DATA: u16 = 64;
const SUPPORTED_EXTENSIONS: u16 = 0x8008;
const ZERO_CHECKSUM: u16 = 0x8001;
const OVER_DTLS: &[u8] = &[0, 0, 0, 1];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_and_chunks_are_read() {
        let mut sent = Sent::default();
        let mut init = vec![0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4];
        init.extend([1, 0, 0, 36]);
        init.extend([0; 16]);
        init.extend([0x80, 0x08, 0, 6, 130, 64, 0, 0]);
        init.extend([0x80, 0x01, 0, 8, 0, 0, 0, 1]);
        sent.read(&init);
        let mut data = vec![0; 12];
        data.extend([64, 3, 0, 21]);
        data.extend([7; 20]);
        sent.read(&data);
        let expected = Sent {
            set_up: true,
            offers_i_data: true,
            offers_unchecked: true,
            i_data: 1,
            unchecked: 1,
            ..Sent::default()
        };
        assert_eq!(sent, expected);
        data[8] = 1;
        data[12] = 0;
        sent.read(&data);
        assert_eq!((sent.data, sent.checked), (1, 1));
    }
}
