//! Marks in the IP header of a call, as tshark sees them on the link of the other end.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use anyhow::{Context as _, ensure};
use oxirtc_peerconnection::driver::{Outgoing, UdpSocket};
use tokio::time::sleep;

use super::{
    call::{Call, LEFT, orders},
    network::{Kind, Laboratory, Side},
    party::Orders,
};
use crate::interop::{coturn::server::HOST, tshark::Tshark};

/// How many datagrams of a kind have come with each mark and each value of the bits of ECN.
type Seen = BTreeMap<(&'static str, u8, u8), usize>;

/// All that is sent is important, and is marked so (RFC 8837 §5), with the bits of ECN at rest, as nobody has agreed to report
/// congestion (RFC 6679 §7). What a socket of ours is told to send with other bits leaves with them. Nothing of it may be cut on its
/// way (DF): what a path carries could not be found out otherwise (RFC 8899 §3).
pub(super) async fn run() -> anyhow::Result<String> {
    let _lab = Laboratory::apart(Kind::Open, Kind::Open)?;
    // Of the server's host, what a socket was told to send, and not what is relayed.
    let filter = format!(
        "(src host {} and udp) or (src host {HOST} and udp dst port {DISCARD})",
        Side::Left.open()
    );
    let side = Side::Right;
    let tshark = Tshark::start(Some(side.host()), side.link(), &filter, &FIELDS).await?;
    let orders = orders().map(|it| Orders {
        calls: true,
        marks: true,
        ..it
    });
    let mut call = Call::connect(orders).await?;
    call.transfer(LEFT, WORDS, |_, _| Ok(())).await?;
    sleep(PART).await;
    for ecn in 1..=3 {
        send(ecn).await?;
    }
    sleep(PART).await;
    let seen = read(&tshark.end().await?)?;
    let of = |kind| {
        let found = seen.iter().filter(move |it| it.0.0 == kind);
        found.map(|(&(_, dscp, ecn), &count)| (dscp, ecn, count))
    };
    for (kind, marks) in EXPECTED {
        let known = of(kind).all(|(dscp, ecn, _)| ecn == 0 && marks.contains(&dscp));
        let each = |mark: &u8| of(kind).any(|(dscp, ..)| dscp == *mark);
        ensure!(known && marks.iter().all(each), "{kind}: {seen:?}");
    }
    let plain: Vec<_> = of(PLAIN).collect();
    ensure!(plain == [1, 2, 3].map(|ecn| (DSCP, ecn, 1)), "{seen:?}");
    let told = |((kind, dscp, ecn), count): (&(&str, u8, u8), &usize)| {
        format!("{count} of {kind} {dscp}/{ecn}")
    };
    Ok(seen.iter().map(told).collect::<Vec<_>>().join(", "))
}

/// A datagram from here to the host on the right.
async fn send(ecn: u8) -> anyhow::Result<()> {
    let socket = UdpSocket::bind(SocketAddr::new(HOST.parse()?, 0), 10_000)?;
    std::future::poll_fn(|context| socket.poll_writable(context)).await?;
    let contents = PLAIN.as_bytes();
    socket.try_send(&Outgoing {
        destination: SocketAddr::new(Side::Right.open().parse()?, DISCARD),
        source: None,
        ecn,
        dscp: DSCP,
        segment: contents.len(),
        contents,
    })?;
    Ok(())
}

/// What tshark has seen, line by line.
fn read(text: &str) -> anyhow::Result<Seen> {
    let mut seen = Seen::new();
    for line in text.lines() {
        let read = read_line(line).with_context(|| format!("«{line}»"))?;
        let (kind, dscp, ecn, is_whole) = read;
        ensure!(is_whole, "{kind} may be cut on its way: «{line}»");
        *seen.entry((kind, dscp, ecn)).or_default() += 1;
    }
    Ok(seen)
}

/// What a line tells of a datagram; the last is whether it has DF.
fn read_line(line: &str) -> Option<(&'static str, u8, u8, bool)> {
    let mut fields = line.split('\t');
    let (dscp, ecn) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    // As one version writes it, or another.
    let is_whole = matches!(fields.next()?, "1" | "True");
    let from = fields.next()?;
    let payload = fields.next()?;
    let byte = |at| u8::from_str_radix(payload.get(at..at + 2)?, 16).ok();
    // RFC 7983 §7, RFC 5761 §4.
    let kind = match (byte(0)?, byte(2)?) {
        _ if from == HOST => PLAIN,
        (0..=3, _) => STUN,
        (20..=63, _) => DTLS,
        (128..=191, 192..=223) => RTCP,
        (128..=191, _) => RTP,
        _ => return None,
    };
    Some((kind, dscp, ecn, is_whole))
}

/// What `read_line` reads.
const FIELDS: [&str; 5] = [
    "ip.dsfield.dscp",
    "ip.dsfield.ecn",
    "ip.flags.df",
    "ip.src",
    "udp.payload",
];
const STUN: &str = "STUN";
const DTLS: &str = "DTLS";
const RTP: &str = "RTP";
const RTCP: &str = "RTCP";
const PLAIN: &str = "plain";
/// RFC 8837 §5, table 1: data at AF21, pictures at AF41, sound expedited; checks and reports go with the most important.
const EXPECTED: [(&str, &[u8]); 4] = [
    (STUN, &[46]),
    (DTLS, &[18, 46]),
    (RTP, &[34, 46]),
    (RTCP, &[46]),
];
const DSCP: u8 = 10;
const DISCARD: u16 = 9;
const WORDS: usize = 256 << 10;
const PART: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_what_was_marked() {
        let (ours, other) = ("10.77.0.21", "10.77.0.1");
        let line = |head: &str, from, payload| format!("{head}\t{from}\t{payload}");
        for (head, from, payload, seen) in [
            ("46\t0\t1", ours, "0001ff", (STUN, 46, 0, true)),
            ("18\t0\tTrue", ours, "16fefd", (DTLS, 18, 0, true)),
            ("34\t1\t0", ours, "806001", (RTP, 34, 1, false)),
            ("46\t0\tFalse", ours, "80c801", (RTCP, 46, 0, false)),
            ("10\t3\t1", other, "706c", (PLAIN, 10, 3, true)),
        ] {
            assert_eq!(read_line(&line(head, from, payload)), Some(seen));
        }
        assert_eq!(read_line(&line("46\t0\t1", ours, "")), None);
        assert_eq!(read_line(""), None);
    }
}
