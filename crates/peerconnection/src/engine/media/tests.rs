//! Two paths face each other over links, in simulated time, with the keys that two ends of a handshake would have.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use oxirtc_netsim::{Link, epoch, ms, percent};
use oxirtc_rtp::{
    Announced, Batch, Carries, Choice, Delivery, Encoding, Event, Format, Frame, Ntp, Rtp, Section,
    SectionId,
    extension::{Ids, Kind as Extension, Label},
    payload::Codec as PayloadCodec,
    rtcp,
};
use oxirtc_srtp::{Config, Context, Profile, Role};

use super::{keys::Keys, path::MediaPath};
use crate::{
    Codec, EncodedFrame, Settings,
    configuration::MediaLimits,
    engine::{convert::Cutter, demux::Kind},
};

const VIDEO: SectionId = SectionId(3);

/// The keys of the association of this number, as each end has them.
fn keys(association: u8, profile: Profile) -> [Context; 2] {
    let material: Vec<u8> = (0..profile.material_len())
        .map(|at| association.wrapping_mul(31).wrapping_add(at as u8))
        .collect();
    [Role::Client, Role::Server]
        .map(|role| Context::new(Config::new(profile), &material, role).unwrap())
}

fn section() -> Section {
    let format = |payload_type, role| Format {
        payload_type,
        role,
        clock: 90_000,
    };
    Section {
        mid: Label::new("v"),
        formats: vec![
            format(96, Carries::Media(PayloadCodec::Vp8)),
            format(97, Carries::Rtx { of: 96 }),
        ],
        ids: Ids::new()
            .with(Extension::Mid, 1)
            .with(Extension::TransportNumber, 4),
        receives: true,
        announced: vec![Announced {
            ssrc: 1000,
            rtx: Some(1001),
            fec: None,
        }],
        ..Section::default()
    }
}

/// Whether a datagram says of which section it is; extensions are not encrypted.
fn is_named(datagram: &[u8]) -> bool {
    let rtp = Rtp::parse(datagram).unwrap();
    rtp.extensions.into_iter().any(|(id, _)| id == 1)
}

struct Pair {
    now: Instant,
    paths: [MediaPath; 2],
    links: [Link; 2],
    cutter: Cutter,
    frames: Vec<Frame>,
    count: u32,
    wants_key: bool,
    /// The last datagrams of the sender.
    sent: VecDeque<Vec<u8>>,
}

impl Pair {
    fn new(link: &Link) -> Self {
        let now = epoch();
        let path = |seed| {
            MediaPath::new(
                ("name", &MediaLimits::default()),
                [seed; 32],
                now,
                Ntp(u64::from(seed) << 40),
            )
        };
        let mut paths = [path(1), path(2)];
        for path in &mut paths {
            path.rtp.set_section(VIDEO, section());
        }
        let encoding = Encoding {
            ssrc: 1000,
            rtx: Some(1001),
            fec: None,
            rid: None,
            active: true,
            limit: None,
            choice: Choice::default(),
        };
        paths[0].rtp.set_encodings(VIDEO, &[encoding]);
        let delivery = Delivery {
            frames: true,
            ..Delivery::default()
        };
        paths[1].rtp.set_delivery(VIDEO, delivery);
        Self {
            now,
            paths,
            links: [link.reseeded(1), link.reseeded(2)],
            cutter: Cutter::new(),
            frames: Vec::new(),
            count: 0,
            wants_key: true,
            sent: VecDeque::new(),
        }
    }

    fn keyed(link: &Link, profile: Profile) -> Self {
        let mut pair = Self::new(link);
        pair.rekey(1, profile);
        pair
    }

    fn rekey(&mut self, association: u8, profile: Profile) {
        for (path, context) in self.paths.iter_mut().zip(keys(association, profile)) {
            path.set_context(self.now, context);
        }
    }

    fn film(&mut self) {
        let key = std::mem::take(&mut self.wants_key);
        let mut payload = vec![self.count as u8; if key { 20_000 } else { 4000 }];
        payload[..10].copy_from_slice(&[u8::from(!key), 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
        let mut frame = EncodedFrame::new(Codec::Vp8, payload);
        frame.captured = Some(self.now);
        let batch = self.cutter.cut_frame(self.now, 0, &frame).unwrap();
        let batch: &Arc<Batch> = batch.inner();
        self.paths[0].gate.frame(self.now);
        self.paths[0].rtp.write(self.now, VIDEO, 0, batch);
        self.count += 1;
    }

    /// So many milliseconds, with 30 frames a second.
    fn run(&mut self, millis: u64) {
        for tick in 0..millis {
            if tick % 33 == 0 {
                self.film();
            }
            self.turn();
            self.now += ms(1);
        }
    }

    fn turn(&mut self) {
        for side in 0..2 {
            while let Some(mut datagram) = self.links[1 - side].receive(self.now) {
                let kind = Kind::of(&datagram);
                self.paths[side].handle(self.now, kind, &mut datagram);
            }
            self.paths[side].handle_timeout(self.now);
            for datagram in drain(&mut self.paths[side], self.now) {
                if side == 0 {
                    self.sent.push_back(datagram.clone());
                }
                self.links[side].send(self.now, datagram);
            }
        }
        while let Some(frame) = self.paths[1].rtp.read_frame(self.now, VIDEO) {
            let content = &frame.payload[10..];
            assert!(content.iter().all(|it| *it == content[0]), "mixed content");
            self.frames.push(frame);
        }
        while let Some(event) = self.paths[0].rtp.poll_event() {
            self.wants_key |= matches!(event, Event::KeyframeRequested { .. });
        }
    }
}

/// All that a path has to send now.
fn drain(path: &mut MediaPath, now: Instant) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let mut buf = vec![0; 4];
        let built = path.poll_rtcp(now, 1200, &mut buf).unwrap()
            || path.is_ready(now, 1232) && path.poll_rtp(now, 1232, &mut buf).unwrap();
        if !built {
            return all;
        }
        assert_eq!(buf[..4], [0; 4], "what stands before is not touched");
        let datagram = buf.split_off(4);
        assert!(datagram.len() <= 1232);
        all.push(datagram);
    }
}

#[test]
fn frames_come_whole_under_each_profile() {
    for profile in Profile::ALL {
        let link = Link::new(1).delay(ms(20)).loss(percent(5));
        let mut pair = Pair::keyed(&link, profile);
        pair.run(3000);
        assert!(pair.frames.len() > 75, "{profile}: {}", pair.frames.len());
    }
}

/// Known failures 14 and 15.
#[test]
fn a_forged_datagram_changes_nothing() {
    let mut pair = Pair::keyed(&Link::new(1), Profile::AeadAes128Gcm);
    pair.run(200);
    let received = pair.frames.len();
    let before = pair.paths[1].rtp.stats();
    for datagram in pair.sent.clone() {
        for at in [1, 5, 12, datagram.len() - 1] {
            let mut forged = datagram.clone();
            forged[at] ^= 1;
            let kind = Kind::of(&forged);
            pair.paths[1].handle(pair.now, kind, &mut forged);
        }
        // And what is told again.
        let mut replayed = datagram;
        let kind = Kind::of(&replayed);
        pair.paths[1].handle(pair.now, kind, &mut replayed);
    }
    // However many there are.
    let last = pair.sent.back().unwrap().clone();
    for at in 0..2000 {
        let mut forged = last.clone();
        let end = forged.len() - 1;
        forged[end - at % 12] ^= 1;
        let kind = Kind::of(&forged);
        pair.paths[1].handle(pair.now, kind, &mut forged);
    }
    assert_eq!(pair.paths[1].rtp.stats(), before);
    pair.turn();
    assert_eq!(pair.frames.len(), received);
    pair.run(200);
    assert!(pair.frames.len() > received + 3, "the call goes on");
}

/// A new DTLS association: what is under way is read with the old keys for two seconds, nothing leaves without new ones, and
/// numbers go on with them.
#[test]
fn another_association_takes_over() {
    let mut pair = Pair::keyed(&Link::new(1).delay(ms(30)), Profile::Aes128CmHmacSha1_80);
    pair.run(3000);
    // One that is very late.
    pair.film();
    let held = drain(&mut pair.paths[0], pair.now);
    let held = held.into_iter().find(|it| Kind::of(it) == Kind::Rtp);
    let mut old = held.unwrap();
    let under_way = pair.frames.len();
    for path in &mut pair.paths {
        path.retire_keys(pair.now);
        assert!(drain(path, pair.now).is_empty());
        assert_eq!(path.poll_timeout(), None, "what cannot be sent is not due");
    }
    pair.run(100);
    assert!(pair.frames.len() > under_way, "what was under way is read");
    assert!(
        !is_named(pair.sent.back().unwrap()),
        "the peer has reported"
    );
    pair.rekey(2, Profile::AeadAes128Gcm);
    let before = pair.frames.len();
    pair.run(100);
    assert!(is_named(pair.sent.back().unwrap()), "it may have forgotten");
    pair.run(2400);
    assert!(
        pair.frames.len() > before + 60,
        "{}",
        pair.frames.len() - before
    );
    // Long after, the old keys open nothing.
    let received = |pair: &Pair| -> Vec<_> {
        let stats = pair.paths[1].rtp.receive_stats(VIDEO);
        stats.map(|it| it.2).collect()
    };
    let before = received(&pair);
    pair.paths[1].handle(pair.now, Kind::Rtp, &mut old);
    assert_eq!(received(&pair), before);
}

/// What comes just before the keys is kept for a moment.
#[test]
fn early_packets_wait_for_keys() {
    for (wait, kept) in [(50, true), (150, false)] {
        let mut pair = Pair::new(&Link::new(1));
        let [sender, receiver] = keys(1, Profile::AeadAes128Gcm);
        pair.paths[0].set_context(pair.now, sender);
        pair.film();
        for mut datagram in drain(&mut pair.paths[0], pair.now) {
            pair.paths[1].handle(pair.now, Kind::of(&datagram.clone()), &mut datagram);
        }
        pair.now += Duration::from_millis(wait);
        pair.paths[1].set_context(pair.now, receiver);
        pair.turn();
        assert_eq!(!pair.frames.is_empty(), kept, "after {wait} ms");
    }
}

/// Of more than are kept the newest are, as the oldest are too old soon.
#[test]
fn the_newest_early_packets_wait_for_keys() {
    let mut pair = Pair::new(&Link::new(1));
    let [sender, receiver] = keys(1, Profile::AeadAes128Gcm);
    pair.paths[0].set_context(pair.now, sender);
    let mut count = 0;
    while count < 200 {
        pair.film();
        pair.now += ms(1);
        for mut datagram in drain(&mut pair.paths[0], pair.now) {
            let kind = Kind::of(&datagram);
            pair.paths[1].handle(pair.now, kind, &mut datagram);
            count += u32::from(kind == Kind::Rtp);
        }
    }
    pair.paths[1].set_context(pair.now, receiver);
    let drops = pair.paths[1].drops();
    assert_eq!(drops, crate::MediaDrops::default());
    let of = pair.paths[1].rtp.receive_stats(VIDEO);
    assert_eq!(of.map(|it| it.2.packets).sum::<u64>(), 64);
    // A key frame, and what follows on it: the newest is among them.
    pair.wants_key = true;
    pair.run(200);
    assert!(pair.frames.len() > 3);
    let last = pair.paths[1].rtp.receive_stats(VIDEO).next().unwrap().2;
    assert_eq!(last.lost, 0, "nothing is missing behind the first");
}

/// What is longer than a datagram of media can be is not kept.
#[test]
fn early_packets_are_no_longer_than_media() {
    for (len, kept) in [(2048, true), (2049, false)] {
        let mut pair = Pair::new(&Link::new(1));
        let [mut sender, receiver] = keys(1, Profile::AeadAes128Gcm);
        let mut early = packet(1000, 1, len - 13 - 16);
        sender.protect_rtp(&mut early, 0).unwrap();
        assert_eq!(early.len(), len);
        pair.paths[1].handle(pair.now, Kind::Rtp, &mut early);
        pair.paths[1].set_context(pair.now, receiver);
        let streams = pair.paths[1].rtp.receive_stats(VIDEO).count();
        assert_eq!(streams, usize::from(kept), "{len} bytes");
    }
}

/// What waits for the keys of an association that never came is not for those of the next.
#[test]
fn early_packets_wait_for_their_own_keys() {
    let mut pair = Pair::new(&Link::new(1));
    let [mut sender, _] = keys(1, Profile::AeadAes128Gcm);
    let mut early = packet(1000, 1, 100);
    sender.protect_rtp(&mut early, 0).unwrap();
    pair.paths[1].handle(pair.now, Kind::Rtp, &mut early);
    pair.paths[1].retire_keys(pair.now);
    pair.rekey(2, Profile::AeadAes128Gcm);
    assert_eq!(pair.paths[1].drops(), crate::MediaDrops::default());
}

/// What ends in RTP is ended in SRTP, so that streams that come and go are no limit for the life of the keys.
#[test]
fn streams_may_come_and_go_under_one_key() {
    let mut pair = Pair::new(&Link::new(1));
    let material: Vec<u8> = (0..Profile::AeadAes128Gcm.material_len())
        .map(|at| at as u8)
        .collect();
    for (path, role) in pair.paths.iter_mut().zip([Role::Client, Role::Server]) {
        let config = Config::new(Profile::AeadAes128Gcm).streams(8);
        path.set_context(epoch(), Context::new(config, &material, role).unwrap());
    }
    let mut section = section();
    section.announced.clear();
    for path in &mut pair.paths {
        path.rtp.set_section(VIDEO, section.clone());
    }
    for guest in 0..100 {
        let encoding = Encoding {
            ssrc: 5000 + 2 * guest,
            rtx: None,
            fec: None,
            rid: None,
            active: true,
            limit: None,
            choice: Choice::default(),
        };
        pair.paths[0].rtp.set_encodings(VIDEO, &[encoding]);
        pair.wants_key = true;
        let before = pair.frames.len();
        pair.run(100);
        assert!(pair.frames.len() > before, "guest {guest}");
        assert_eq!(pair.paths[1].drops().over_limit, 0, "guest {guest}");
    }
}

/// RFC 3711 §9.2: keys that were used as often as they may be send nothing more, and that is told; new ones do.
#[test]
fn keys_that_are_used_up_are_told() {
    let mut pair = Pair::keyed(&Link::new(1), Profile::AeadAes128Gcm);
    pair.run(200);
    assert_eq!(pair.paths[0].poll_exhausted(), None);
    let profile = Profile::AeadAes128Gcm;
    let config = Config::new(profile).lifetime(2);
    let material = vec![7; profile.material_len()];
    let context = Context::new(config, &material, Role::Client).unwrap();
    pair.paths[0].set_context(pair.now, context);
    pair.film();
    let mut results = Vec::new();
    while pair.paths[0].is_ready(pair.now, 1232) {
        let built = pair.paths[0].poll_rtp(pair.now, 1232, &mut Vec::new());
        results.push(built.is_ok());
    }
    assert_eq!(results, [true, true, false]);
    assert_eq!(pair.paths[0].poll_exhausted(), Some(true));
    assert_eq!(pair.paths[0].poll_exhausted(), None, "once");
    assert!(drain(&mut pair.paths[0], pair.now).is_empty());
    pair.rekey(2, Profile::AeadAes128Gcm);
    assert_eq!(pair.paths[0].poll_exhausted(), Some(false));
    pair.wants_key = true;
    let before = pair.frames.len();
    pair.run(300);
    assert!(pair.frames.len() > before + 5);
}

/// What is dropped is counted, under the old keys as under the new.
#[test]
fn drops_are_counted_over_all_keys() {
    let mut pair = Pair::keyed(&Link::new(1), Profile::AeadAes128Gcm);
    pair.run(200);
    let forge = |pair: &mut Pair, count: u64| {
        for at in 0..count as usize {
            let mut forged = pair.sent.back().unwrap().clone();
            let end = forged.len() - 1;
            // A number that has not come yet.
            forged[3] = forged[3].wrapping_add(1);
            forged[end - at] ^= 1;
            let kind = Kind::of(&forged);
            pair.paths[1].handle(pair.now, kind, &mut forged);
        }
    };
    forge(&mut pair, 3);
    assert_eq!(pair.paths[1].drops().forged, 3);
    let mut again = pair.sent.back().unwrap().clone();
    let kind = Kind::of(&again);
    pair.paths[1].handle(pair.now, kind, &mut again);
    assert_eq!(pair.paths[1].drops().replayed, 1);
    for path in &mut pair.paths {
        path.retire_keys(pair.now);
    }
    assert_eq!(pair.paths[1].drops().forged, 3, "retiring");
    pair.rekey(2, Profile::AeadAes128Gcm);
    pair.run(2200);
    let others = pair.paths[1].drops();
    assert_eq!((others.forged, others.replayed), (3, 1), "long gone");
    pair.paths[1].handle(pair.now, Kind::Rtp, &mut [0x80; 10]);
    assert_eq!(pair.paths[1].drops().malformed, others.malformed + 1);
}

/// A path that keeps to these settings, and reads frames of three streams.
fn limited(settings: &Settings) -> MediaPath {
    let mut path = MediaPath::new(("name", &settings.media), [7; 32], epoch(), Ntp(1000 << 32));
    let announced = (1..=3).map(|ssrc| Announced {
        ssrc,
        rtx: None,
        fec: None,
    });
    let section = Section {
        announced: announced.collect(),
        ..section()
    };
    path.rtp.set_section(VIDEO, section);
    let delivery = Delivery {
        frames: true,
        ..Delivery::default()
    };
    path.rtp.set_delivery(VIDEO, delivery);
    path
}

/// A key frame in one packet, with so many bytes of its own.
fn packet(ssrc: u32, sequence: u16, len: usize) -> Vec<u8> {
    let mut packet = vec![0x80, 0x80 | 96];
    packet.extend(sequence.to_be_bytes());
    packet.extend((u32::from(sequence) * 3000).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0x10, 0, 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
    packet.resize(13 + len, 7);
    packet
}

/// The numbers that a path asks for.
fn wanted(path: &mut MediaPath) -> Vec<u16> {
    let mut wanted = Vec::new();
    let mut buf = Vec::new();
    while path.rtp.poll_rtcp(epoch() + ms(1), 1200, &mut buf) {
        for part in rtcp::Compound::parse(&buf).unwrap() {
            if let rtcp::Rtcp::Nack(nack) = part {
                wanted.extend(nack.numbers());
            }
        }
        buf.clear();
    }
    wanted
}

/// What a peer can make a connection hold is as the application has set it, each at its edge.
#[test]
fn a_path_keeps_to_its_limits() {
    let settings = Settings::default()
        .most_remote_streams(2)
        .most_reordered_packets(4)
        .most_missing_packets(5)
        .largest_frame(900);
    let dropped = |path: &MediaPath| {
        let stats = path.rtp.receive_stats(VIDEO);
        stats.map(|it| it.2.frames_dropped).sum::<u64>()
    };

    let mut path = limited(&settings);
    for (ssrc, over) in [(1, 0), (2, 0), (3, 1)] {
        path.rtp.handle_rtp(epoch(), &packet(ssrc, 1, 100));
        assert_eq!(path.rtp.stats().over_limit, over);
    }

    let mut path = limited(&settings);
    for (sequence, given_up) in [(1, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 1)] {
        path.rtp.handle_rtp(epoch(), &packet(1, sequence, 100));
        assert_eq!(dropped(&path), given_up, "{sequence}");
    }

    for (gap, asked) in [(5, vec![2, 3, 4, 5, 6]), (6, Vec::new())] {
        let mut path = limited(&settings);
        path.rtp.handle_rtp(epoch(), &packet(1, 1, 100));
        path.rtp.handle_rtp(epoch(), &packet(1, 2 + gap, 100));
        assert_eq!(wanted(&mut path), asked);
    }

    for (len, too_long) in [(900, 0), (901, 1)] {
        let mut path = limited(&settings);
        path.rtp.handle_rtp(epoch(), &packet(1, 1, len));
        assert_eq!(dropped(&path), too_long, "{len}");
    }

    // Frames that nobody reads, each with what it takes beside its bytes.
    let settings = Settings::default().most_buffered_frames(620_000);
    for (count, is_dropped) in [(10, false), (11, true)] {
        let mut path = limited(&settings);
        for sequence in 1..=count {
            path.rtp.handle_rtp(epoch(), &packet(1, sequence, 60_000));
        }
        assert_eq!(dropped(&path) > 0, is_dropped, "{count}");
    }
}

/// One of a peer's packets.
fn sealed(context: &mut Context, kind: Kind, mut packet: Vec<u8>) -> (Kind, Vec<u8>) {
    let sealed = match kind {
        Kind::Rtp => context.protect_rtp(&mut packet, 0),
        _ => context.protect_rtcp(&mut packet, 0),
    };
    sealed.unwrap();
    (kind, packet)
}

fn goodbye(ssrc: u32) -> Vec<u8> {
    let mut goodbye = Vec::new();
    rtcp::write_bye(&mut goodbye, &[ssrc]);
    goodbye
}

/// What it is, so many SSRCs of SRTP and of RTP, what comes, and as what it is counted.
type Dropped = (
    &'static str,
    [usize; 2],
    fn(&mut Context) -> Vec<(Kind, Vec<u8>)>,
    fn(&mut crate::MediaDrops) -> &mut u64,
);

/// What SRTP does not open.
fn unopened() -> Vec<Dropped> {
    vec![
        (
            "forged RTP",
            [8, 8],
            |context| {
                let (kind, mut packet) = sealed(context, Kind::Rtp, packet(1, 1, 100));
                *packet.last_mut().unwrap() ^= 1;
                vec![(kind, packet)]
            },
            |it| &mut it.forged,
        ),
        (
            "forged RTCP",
            [8, 8],
            |context| {
                let (kind, mut packet) = sealed(context, Kind::Rtcp, goodbye(7));
                *packet.last_mut().unwrap() ^= 1;
                vec![(kind, packet)]
            },
            |it| &mut it.forged,
        ),
        (
            "replayed RTP",
            [8, 8],
            |context| vec![sealed(context, Kind::Rtp, packet(1, 1, 100)); 2],
            |it| &mut it.replayed,
        ),
        (
            "replayed RTCP",
            [8, 8],
            |context| vec![sealed(context, Kind::Rtcp, goodbye(7)); 2],
            |it| &mut it.replayed,
        ),
        (
            "short RTP",
            [8, 8],
            |_| vec![(Kind::Rtp, vec![0x80; 10])],
            |it| &mut it.malformed,
        ),
        (
            "short RTCP",
            [8, 8],
            |_| vec![(Kind::Rtcp, vec![0x80, 201, 0, 0])],
            |it| &mut it.malformed,
        ),
    ]
}

/// What is no RTP or RTCP that anyone reads.
fn unread() -> Vec<Dropped> {
    vec![
        (
            "RTP that is padding beyond its beginning",
            [8, 8],
            |context| {
                let mut packet = packet(1, 1, 20);
                packet[0] |= 0x20;
                *packet.last_mut().unwrap() = 255;
                vec![sealed(context, Kind::Rtp, packet)]
            },
            |it| &mut it.malformed,
        ),
        (
            "RTCP that is longer than it is",
            [8, 8],
            |context| {
                let mut packet = goodbye(7);
                packet[3] = 9;
                vec![sealed(context, Kind::Rtcp, packet)]
            },
            |it| &mut it.malformed,
        ),
        (
            "a NACK about no stream",
            [8, 8],
            |context| {
                let nack = vec![0x81, 205, 0, 1, 0, 0, 0, 7];
                vec![sealed(context, Kind::Rtcp, nack)]
            },
            |it| &mut it.malformed,
        ),
    ]
}

/// What nobody has room or a place for.
fn unwanted() -> Vec<Dropped> {
    vec![
        (
            "a third SSRC of SRTP",
            [2, 8],
            |context| {
                let all = [1, 2, 3].map(|ssrc| packet(ssrc, 1, 100));
                all.map(|it| sealed(context, Kind::Rtp, it)).into()
            },
            |it| &mut it.over_limit,
        ),
        (
            "a third SSRC of SRTCP",
            [2, 8],
            |context| {
                let all = [7, 8, 9].map(goodbye);
                all.map(|it| sealed(context, Kind::Rtcp, it)).into()
            },
            |it| &mut it.over_limit,
        ),
        (
            "a third SSRC of RTP",
            [8, 2],
            |context| {
                let all = [1, 2, 3].map(|ssrc| packet(ssrc, 1, 100));
                all.map(|it| sealed(context, Kind::Rtp, it)).into()
            },
            |it| &mut it.over_limit,
        ),
        (
            "a format that there is not",
            [8, 8],
            |context| {
                let mut packet = packet(50, 1, 100);
                packet[1] = 100;
                vec![sealed(context, Kind::Rtp, packet)]
            },
            |it| &mut it.unrouted,
        ),
        (
            "a repair of nothing",
            [8, 8],
            |context| {
                let mut packet = packet(50, 1, 100);
                packet[1] = 97;
                vec![sealed(context, Kind::Rtp, packet)]
            },
            |it| &mut it.unrouted,
        ),
    ]
}

/// What is dropped is counted once, by its reason.
#[test]
fn drops_are_counted_by_their_reason() {
    let profile = Profile::AeadAes128Gcm;
    let material = vec![7; profile.material_len()];
    for (what, [srtp, rtp], made, counted) in [unopened(), unread(), unwanted()].concat() {
        let context = |role| {
            let config = Config::new(profile).streams(srtp);
            Context::new(config, &material, role).unwrap()
        };
        let mut path = limited(&Settings::default().most_remote_streams(rtp));
        path.set_context(epoch(), context(Role::Server));
        for (kind, mut packet) in made(&mut context(Role::Client)) {
            path.handle(epoch(), kind, &mut packet);
        }
        let mut expected = crate::MediaDrops::default();
        *counted(&mut expected) = 1;
        assert_eq!(path.drops(), expected, "{what}");
    }
}

/// What is under way as another association comes is read for two seconds, and no longer.
#[test]
fn old_keys_open_for_two_seconds() {
    for (after, opens) in [(1999, true), (2000, false)] {
        let mut path = limited(&Settings::default());
        let [mut sender, receiver] = keys(1, Profile::AeadAes128Gcm);
        path.set_context(epoch(), receiver);
        path.retire_keys(epoch());
        let [_, other] = keys(2, Profile::AeadAes128Gcm);
        path.set_context(epoch() + ms(1), other);
        let (kind, mut late) = sealed(&mut sender, Kind::Rtp, packet(1, 1, 100));
        path.handle(epoch() + ms(after), kind, &mut late);
        let streams = path.rtp.receive_stats(VIDEO).count();
        assert_eq!(streams, usize::from(opens), "{after} ms");
    }
}

/// Datagrams of RTCP wait for who reads them, so many, and for nobody else.
#[test]
fn reports_wait_for_who_reads_them() {
    let mut path = limited(&Settings::default());
    let [mut sender, receiver] = keys(1, Profile::AeadAes128Gcm);
    path.set_context(epoch(), receiver);
    for (reads, kept) in [(false, 0), (true, 64), (false, 0)] {
        path.read_rtcp(reads);
        for _ in 0..65 {
            let (kind, mut packet) = sealed(&mut sender, Kind::Rtcp, goodbye(7));
            path.handle(epoch(), kind, &mut packet);
        }
        path.read_rtcp(reads);
        let waiting = std::iter::from_fn(|| path.poll_heard());
        assert_eq!(waiting.count(), kept);
    }
    path.read_rtcp(true);
    let (kind, mut packet) = sealed(&mut sender, Kind::Rtcp, goodbye(7));
    path.handle(epoch(), kind, &mut packet);
    path.read_rtcp(false);
    path.read_rtcp(true);
    assert!(path.poll_heard().is_none(), "nobody has waited for it");
}

/// A path that has a key frame of many packets to send, by keys of this profile.
fn written(profile: Profile, len: usize) -> MediaPath {
    let mut pair = Pair::keyed(&Link::new(1), profile);
    let mut payload = vec![7; len];
    payload[..10].copy_from_slice(&[0, 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
    let frame = EncodedFrame::new(Codec::Vp8, payload);
    let batch = pair.cutter.cut_frame(pair.now, 0, &frame).unwrap();
    let [mut path, _] = pair.paths;
    path.rtp.write(pair.now, VIDEO, 0, batch.inner());
    path
}

/// A datagram has its tag within the room that there is; what is longer than any datagram may be is dropped.
#[test]
fn what_is_sealed_fits_into_its_room() {
    for profile in Profile::ALL {
        let plain = written(profile, 1000).rtp.peek(epoch()).unwrap().len;
        let [context, _] = keys(1, profile);
        let sealed = plain + context.tailroom();
        for (whole, room, is_ready, is_sent) in [
            (sealed, sealed, true, true),
            (sealed, sealed - 1, true, false),
            (sealed - 1, sealed, false, false),
        ] {
            let mut path = written(profile, 1000);
            assert_eq!(path.is_ready(epoch(), whole), is_ready, "{profile}");
            let mut buf = Vec::new();
            let sent = path.poll_rtp(epoch(), room, &mut buf).unwrap();
            assert_eq!(sent, is_sent, "{profile}");
            assert_eq!(buf.len(), if sent { sealed } else { 0 }, "{profile}");
        }
        let mut protecting = Keys::default();
        assert_eq!(protecting.tailroom(Kind::Rtcp), 0);
        protecting.set(context);
        for (kind, plain) in [(Kind::Rtp, packet(1, 1, 100)), (Kind::Rtcp, goodbye(7))] {
            let mut sealed = plain.clone();
            protecting.seal(kind, &mut sealed, 0).unwrap();
            assert_eq!(sealed.len(), plain.len() + protecting.tailroom(kind));
        }
    }
}

/// What is held at the gate is due when the gate opens, and not when there is nothing more that waits or nothing that may be sent.
#[test]
fn what_is_held_is_due() {
    let now = epoch();
    let held = || {
        let mut path = written(Profile::AeadAes128Gcm, 200_000);
        assert_eq!(drain_media(&mut path, now), 64);
        path
    };
    let mut path = held();
    let due = path.gate.poll_timeout().unwrap();
    assert_eq!(path.poll_timeout(), Some(due));
    assert!(path.is_pausing());
    path.handle_timeout(due);
    assert_eq!(path.gate.poll_timeout(), None);
    assert_eq!(drain_media(&mut path, due), 64);

    let mut path = held();
    path.rtp.set_encodings(VIDEO, &[]);
    assert!(!path.is_ready(now, 1232));
    assert_eq!(path.gate.poll_timeout(), None);

    let mut path = held();
    path.retire_keys(now);
    assert!(!path.is_pausing());
    assert_eq!(path.poll_timeout(), None);
}

/// How many packets of media leave now.
fn drain_media(path: &mut MediaPath, now: Instant) -> usize {
    let mut count = 0;
    while path.is_ready(now, 1232) && path.poll_rtp(now, 1232, &mut Vec::new()).unwrap() {
        count += 1;
    }
    count
}

/// What a section has encrypted beside payloads is so under all keys, until the section goes.
#[test]
fn what_is_hidden_is_so_under_all_keys() {
    const OTHER: SectionId = SectionId(9);
    // Of a packet that is sent: whether all of its extensions are encrypted, and whether its mid is.
    let hidden = |pair: &mut Pair| {
        pair.paths[0].rtp.name_anew();
        pair.film();
        pair.now += ms(33);
        let sent = drain(&mut pair.paths[0], pair.now);
        let packet = sent.iter().find(|it| Kind::of(it) == Kind::Rtp).unwrap();
        let all = packet[12..14] == [0xc0, 0xde];
        let mid = Rtp::parse(packet).ok();
        let mid = mid.and_then(|it| it.extensions.into_iter().find(|it| it.0 == 1));
        (all, !all && mid.unwrap().1 != b"v")
    };
    let mut pair = Pair::keyed(&Link::new(1), Profile::AeadAes128Gcm);
    assert_eq!(hidden(&mut pair), (false, false));
    pair.paths[0].hide(OTHER, (false, vec![1]));
    assert_eq!(hidden(&mut pair), (false, true));
    pair.rekey(2, Profile::AeadAes128Gcm);
    assert_eq!(hidden(&mut pair), (false, true));
    pair.paths[0].hide(VIDEO, (true, vec![]));
    assert_eq!(hidden(&mut pair), (true, false));
    pair.rekey(3, Profile::AeadAes128Gcm);
    assert_eq!(hidden(&mut pair), (true, false));
    pair.paths[0].hide(VIDEO, (false, vec![]));
    assert_eq!(hidden(&mut pair), (false, true));
    pair.paths[0].remove_section(OTHER);
    assert_eq!(hidden(&mut pair), (false, false));
}

/// So does what it keeps of its own: so many packets, and so long.
#[test]
fn a_path_sends_again_what_it_was_set_to_keep() {
    let settings = Settings::default().retransmission_history(ms(100), 3);
    for (packets, after, kept) in [(3, 100, true), (4, 1, false), (3, 101, false)] {
        let mut path = limited(&settings);
        path.set_context(
            epoch(),
            keys(1, Profile::ALL[0]).into_iter().next().unwrap(),
        );
        let encoding = Encoding {
            ssrc: 1000,
            rtx: Some(1001),
            fec: None,
            rid: None,
            active: true,
            limit: None,
            choice: Choice::default(),
        };
        path.rtp.set_encodings(VIDEO, &[encoding]);
        let (mut cutter, mut first, mut sent) = (Cutter::new(), None, 0);
        // The last is written when the first is asked for: time is looked at then.
        for place in 0..packets {
            let at = epoch() + ms(if place + 1 == packets { after } else { 0 });
            let mut payload = vec![7; 300];
            payload[..10].copy_from_slice(&[
                u8::from(place > 0),
                0,
                0,
                0x9d,
                1,
                0x2a,
                64,
                1,
                180,
                0,
            ]);
            let frame = EncodedFrame::new(Codec::Vp8, payload);
            let batch = cutter.cut_frame(at, 0, &frame).unwrap();
            path.rtp.write(at, VIDEO, 0, batch.inner());
            let mut buf = Vec::new();
            while path.rtp.poll_rtp(at, 1200, &mut buf).is_some() {
                first.get_or_insert(Rtp::parse(&buf).unwrap().head.sequence);
                (buf, sent) = (Vec::new(), sent + 1);
            }
        }
        assert_eq!(sent, packets);
        let (mut nack, mut again) = (Vec::new(), Vec::new());
        rtcp::write_nack(&mut nack, 1200, 7, 1000, [first.unwrap()]);
        let at = epoch() + ms(after);
        path.rtp.handle_rtcp(at, &nack);
        let came = path.rtp.poll_rtp(at, 1200, &mut again).is_some();
        assert_eq!(came, kept, "{packets} packets, {after} ms");
    }
}
