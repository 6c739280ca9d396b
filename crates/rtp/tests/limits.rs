//! What the peer can make a session hold: each limit at its edge, as it is by default and as it was configured.

mod support;

use oxirtc_netsim::{epoch, ms};
use oxirtc_rtp::{
    Announced, Batch, Config, Delivery, Form, Ntp, RtpHead, Session, Writer,
    extension::Values,
    payload::{Codec, Layering, Packetizer, Refused},
    rtcp,
};

use support::{Camera, VIDEO, announced, encoding, frames, video};

fn session(config: Config) -> Session {
    Session::new(config, [7; 32], epoch(), Ntp(1000 << 32))
}

fn config() -> Config {
    Config::new("name")
}

/// What is sent of a frame that is written.
fn sent(session: &mut Session, camera: &mut Camera, at: u64) -> Vec<Vec<u8>> {
    let now = epoch() + ms(at);
    let batch = camera.frame(now);
    session.write(now, VIDEO, 0, &batch);
    let mut all = Vec::new();
    loop {
        let mut buf = Vec::new();
        if session.poll_rtp(now, 1232, &mut buf).is_none() {
            return all;
        }
        all.push(buf);
    }
}

fn number(datagram: &[u8]) -> u16 {
    u16::from_be_bytes([datagram[2], datagram[3]])
}

/// Whether a packet is sent again when it is asked for.
fn is_sent_again(session: &mut Session, at: u64, number: u16) -> bool {
    let (now, mut buf) = (epoch() + ms(at), Vec::new());
    rtcp::write_nack(&mut buf, 1200, 7, 1000, [number]);
    session.handle_rtcp(now, &buf);
    session.poll_rtp(now, 1232, &mut buf).is_some()
}

#[test]
fn so_many_streams_of_the_peer_are_followed() {
    for (config, most) in [(config(), 256), (config().streams(3), 3)] {
        let mut session = session(config);
        let mut section = video();
        let announced = |ssrc| Announced {
            ssrc,
            rtx: None,
            fec: None,
        };
        section.announced = (1..=300).map(announced).collect();
        session.set_section(VIDEO, section);
        session.set_delivery(VIDEO, frames());
        for ssrc in 1..=most + 1 {
            assert_eq!(session.stats().over_limit, 0);
            let mut packet = Vec::new();
            let head = RtpHead {
                payload_type: 96,
                marker: true,
                sequence: 1,
                timestamp: 0,
                ssrc,
            };
            Writer::begin(&mut packet, head, &[], Form::OneByte).finish();
            packet.extend([0x10, 0, 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
            session.handle_rtp(epoch(), &packet);
        }
        assert_eq!(session.stats().over_limit, 1);
        assert_eq!(session.receive_stats(VIDEO).count(), most as usize);
    }
}

/// Who asked for packets and does not read them holds up nothing, and has what came last.
#[test]
fn so_many_packets_wait_to_be_read() {
    let mut session = session(config());
    let mut section = video();
    section.announced = vec![announced(7)];
    session.set_section(VIDEO, section);
    let delivery = Delivery {
        packets: true,
        ..Delivery::default()
    };
    session.set_delivery(VIDEO, delivery);
    for sequence in 0..5000 {
        let mut packet = Vec::new();
        let head = RtpHead {
            payload_type: 96,
            marker: false,
            sequence,
            timestamp: 0,
            ssrc: 7,
        };
        Writer::begin(&mut packet, head, &[], Form::OneByte).finish();
        packet.extend([0x10, 0]);
        session.handle_rtp(epoch(), &packet);
        if sequence == 4095 {
            assert_eq!(session.stats().unread, 0);
        }
    }
    assert_eq!(session.stats().unread, 4096);
    let (_, _, batch) = session.poll_batch().unwrap();
    assert_eq!(batch.packets.len(), 5000 - 4096);
    assert_eq!(batch.packets[0].sequence as u16, 4096);
}

/// A packet may be as long as that; one that is longer is left out, and counted.
#[test]
fn so_long_a_packet_may_be() {
    for (config, most) in [(config(), 1232), (config().largest(700), 700)] {
        let mut session = session(config);
        session.set_section(VIDEO, video());
        session.set_encodings(VIDEO, &[encoding(1000, 0)]);
        let (mut next, mut longest) = (0, 0);
        for len in most - 120..most {
            let mut frame = vec![7; len];
            frame[..10].copy_from_slice(&[0, 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
            let mut packetizer = Packetizer::new(Codec::Vp8, 2000, 1);
            let mut pieces = Vec::new();
            let cut = packetizer.cut(&frame.into(), Layering::default(), &mut pieces);
            assert_eq!(cut, Ok(()));
            let values = (epoch(), &Values::default());
            let timestamp = len as u32 * 3000;
            let batch = Batch::of_frame(&mut pieces, (0, Codec::Vp8), &mut next, timestamp, values);
            session.write(epoch(), VIDEO, 0, &batch);
            let mut buf = Vec::new();
            while session.poll_rtp(epoch(), 2000, &mut buf).is_some() {
                longest = longest.max(buf.len());
                buf.clear();
            }
        }
        assert_eq!(longest, most);
        let stats = session.send_stats(VIDEO).next().unwrap().2;
        assert_eq!(stats.packets + stats.dropped_large, 120);
    }
}

#[test]
fn so_many_packets_can_be_sent_again() {
    let few = config().history_packets(10);
    for (config, packets, kept) in [
        (config(), 1024, true),
        (config(), 1025, false),
        (few.clone(), 10, true),
        (few, 11, false),
    ] {
        let mut session = session(config);
        session.set_section(VIDEO, video());
        session.set_encodings(VIDEO, &[encoding(1000, 0)]);
        // A key frame of one packet, and what fills the rest.
        let first = number(&sent(&mut session, &mut Camera::new(0, 200), 0)[0]);
        let mut camera = Camera::new(0, 1000);
        let mut all = 1;
        (camera.wants_key, camera.count) = (false, 1);
        while all < packets {
            all += sent(&mut session, &mut camera, 1).len();
        }
        assert_eq!(all, packets);
        assert_eq!(is_sent_again(&mut session, 2, first), kept, "{packets}");
    }
}

#[test]
fn so_long_packets_can_be_sent_again() {
    for (config, history) in [(config(), 1000), (config().history(ms(100)), 100)] {
        for (at, kept) in [(history, true), (history + 1, false)] {
            let mut session = session(config.clone());
            session.set_section(VIDEO, video());
            session.set_encodings(VIDEO, &[encoding(1000, 0)]);
            let mut camera = Camera::new(0, 1000);
            let first = number(&sent(&mut session, &mut camera, 0)[0]);
            sent(&mut session, &mut camera, at);
            assert_eq!(is_sent_again(&mut session, at, first), kept, "{at} ms");
        }
    }
}

/// What waits for a missing packet is given up when it is too much, and a key frame asked for.
#[test]
fn so_many_packets_wait_for_one() {
    for (config, most) in [(config(), 512), (config().reorder(5), 5)] {
        let (mut sender, mut receiver) = (session(self::config()), session(config));
        sender.set_section(VIDEO, video());
        sender.set_encodings(VIDEO, &[encoding(1000, 0)]);
        receiver.set_section(VIDEO, video());
        receiver.set_delivery(VIDEO, frames());
        let mut camera = Camera::new(0, 200);
        let dropped = |it: &Session| it.receive_stats(VIDEO).next().unwrap().2.frames_dropped;
        for place in 0..most + 3 {
            let datagrams = sent(&mut sender, &mut camera, 0);
            assert_eq!(datagrams.len(), 1);
            // The second one is lost.
            if place != 1 {
                receiver.handle_rtp(epoch(), &datagrams[0]);
            }
            let given_up = dropped(&receiver) > 0;
            assert_eq!(given_up, place == most + 2, "{place} of {most}");
        }
    }
}

/// A frame may be as long as that, and no longer: one byte more is dropped, and a key frame asked for.
#[test]
fn so_long_a_frame_may_be() {
    // What comes without a gap waits for nothing, however many packets it is.
    for (config, most) in [
        (config(), 4 << 20),
        (config().reorder(5), 4 << 20),
        (config().frame(5000), 5000),
    ] {
        for (len, whole) in [(most, true), (most + 1, false)] {
            let mut sender = session(self::config());
            sender.set_section(VIDEO, video());
            sender.set_encodings(VIDEO, &[encoding(1000, 0)]);
            let mut receiver = session(config.clone());
            receiver.set_section(VIDEO, video());
            receiver.set_delivery(VIDEO, frames());
            let mut frame = vec![7; len];
            frame[..10].copy_from_slice(&[0, 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
            let mut packetizer = Packetizer::new(Codec::Vp8, 1080, 1);
            packetizer.set_most_frame(len);
            let mut pieces = Vec::new();
            let cut = packetizer.cut(&frame.into(), Layering::default(), &mut pieces);
            assert_eq!(cut, Ok(()));
            let values = (epoch(), &Values::default());
            let batch = Batch::of_frame(&mut pieces, (0, Codec::Vp8), &mut 0, 0, values);
            sender.write(epoch(), VIDEO, 0, &batch);
            let mut buf = Vec::new();
            while sender.poll_rtp(epoch(), 1232, &mut buf).is_some() {
                receiver.handle_rtp(epoch(), &buf);
                buf.clear();
            }
            let read = receiver.read_frame(epoch() + ms(100), VIDEO);
            assert_eq!(read.map(|it| it.payload.len()), whole.then_some(len));
            let stats = receiver.receive_stats(VIDEO).next().unwrap().2;
            assert_eq!(stats.frames_dropped, u64::from(!whole));
            let asked = receiver.poll_rtcp(epoch() + ms(1), 1200, &mut buf);
            let pli = |it| matches!(it, rtcp::Rtcp::Pli(_));
            let asked = asked && rtcp::Compound::parse(&buf).unwrap().any(pli);
            assert_eq!(asked, !whole, "{len}");
        }
    }
    // Who cuts has the same limit.
    for (set, most) in [(None, 4 << 20), (Some(5000), 5000)] {
        for (len, cut) in [(most, Ok(())), (most + 1, Err(Refused::TooLarge))] {
            let mut packetizer = Packetizer::new(Codec::Vp8, 1080, 1);
            if let Some(most) = set {
                packetizer.set_most_frame(most);
            }
            let made = packetizer.cut(
                &vec![0x10; len].into(),
                Layering::default(),
                &mut Vec::new(),
            );
            assert_eq!(made, cut, "{len}");
        }
    }
}

/// A gap of so many packets is asked for; one that is longer is given up, and nothing of it is.
#[test]
fn so_many_missing_packets_are_asked_for() {
    for (config, most) in [(config(), 1000), (config().missing(5), 5)] {
        for gap in [most, most + 1] {
            let mut session = session(config.clone());
            session.set_section(VIDEO, video());
            session.set_delivery(VIDEO, frames());
            for sequence in [1, 2 + gap] {
                let mut packet = Vec::new();
                let head = RtpHead {
                    payload_type: 96,
                    marker: true,
                    sequence,
                    timestamp: u32::from(sequence) * 3000,
                    ssrc: 1000,
                };
                Writer::begin(&mut packet, head, &[], Form::OneByte).finish();
                packet.extend([0x10, 0, 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
                session.handle_rtp(epoch(), &packet);
            }
            let mut asked = Vec::new();
            for at in 0..20 {
                let mut buf = Vec::new();
                while session.poll_rtcp(epoch() + ms(at), 1200, &mut buf) {
                    for part in rtcp::Compound::parse(&buf).unwrap() {
                        if let rtcp::Rtcp::Nack(nack) = part {
                            asked.extend(nack.numbers());
                        }
                    }
                    buf.clear();
                }
            }
            let all: Vec<u16> = (2..2 + gap).collect();
            let wanted = if gap > most { Vec::new() } else { all };
            assert_eq!(asked, wanted, "a gap of {gap}, {most} at most");
        }
    }
}

/// A frame without an end is given up, be its packets large or small, and nothing of it stays: what follows is read.
#[test]
fn a_frame_without_an_end_is_given_up() {
    for (len, most) in [(1000, 4480), (1, 16_384)] {
        let mut session = session(config());
        session.set_section(VIDEO, video());
        session.set_delivery(VIDEO, frames());
        let mut send = |sequence: u32, timestamp, marker, payload: &[u8]| {
            let mut packet = Vec::new();
            let head = RtpHead {
                payload_type: 96,
                marker,
                sequence: sequence as u16,
                timestamp,
                ssrc: 1000,
            };
            Writer::begin(&mut packet, head, &[], Form::OneByte).finish();
            packet.extend(payload);
            session.handle_rtp(epoch(), &packet);
            session
                .receive_stats(VIDEO)
                .next()
                .unwrap()
                .2
                .frames_dropped
        };
        let key = [0x10, 0, 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0];
        send(0, 0, false, &key);
        let mut rest = vec![0];
        rest.resize(1 + len, 7);
        let count = (1..=most + 2).find(|it| send(*it, 0, false, &rest) == 1);
        let count = count.expect("it is given up");
        assert!(count > most * 9 / 10, "{count} packets of {len} bytes");
        send(count + 1, 0, true, &rest);
        send(count + 2, 3000, true, &key);
        let read = session.read_frame(epoch() + ms(100), VIDEO).unwrap();
        assert_eq!((read.timestamp, read.payload.len()), (3000, 10));
        assert!(session.read_frame(epoch() + ms(100), VIDEO).is_none());
    }
}

/// What comes without a gap waits for nothing, also where the frame is none that all could begin with anew.
#[test]
fn a_frame_of_more_packets_than_wait_is_read() {
    let mut session = session(config());
    session.set_section(VIDEO, video());
    session.set_delivery(VIDEO, frames());
    let mut send = |sequence, timestamp, marker, payload: &[u8]| {
        let mut packet = Vec::new();
        let head = RtpHead {
            payload_type: 96,
            marker,
            sequence,
            timestamp,
            ssrc: 1000,
        };
        Writer::begin(&mut packet, head, &[], Form::OneByte).finish();
        packet.extend(payload);
        session.handle_rtp(epoch(), &packet);
    };
    send(0, 0, true, &[0x10, 0, 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
    send(1, 3000, false, &[0x10, 1, 0, 0]);
    for sequence in 2..700 {
        send(sequence, 3000, sequence == 699, &[0, 7, 7, 7]);
    }
    let mut lengths = Vec::new();
    while let Some(frame) = session.read_frame(epoch() + ms(100), VIDEO) {
        lengths.push(frame.payload.len());
    }
    assert_eq!(lengths, [10, 699 * 3]);
}

/// All streams together hold so much of frames that nobody reads: the one that holds most loses it, and begins with a key frame.
#[test]
fn so_much_of_frames_is_held() {
    let held = |receiver: &mut Session, at| {
        let mut lens = [0, 0];
        while let Some(frame) = receiver.read_frame(at, VIDEO) {
            lens[usize::from(frame.lane)] += frame.payload.len();
        }
        lens
    };
    for (config, most) in [
        (config(), 64 << 20),
        (config().buffered(1_600_000), 1_600_000),
    ] {
        let mut receiver = session(config);
        let mut section = video();
        section.announced = vec![announced(1000), announced(2000)];
        receiver.set_section(VIDEO, section);
        receiver.set_delivery(VIDEO, frames());
        let (mut sender, mut other) = (session(self::config()), session(self::config()));
        for (sender, ssrc) in [(&mut sender, 1000), (&mut other, 2000)] {
            sender.set_section(VIDEO, video());
            sender.set_encodings(VIDEO, &[encoding(ssrc, 0)]);
        }
        let mut camera = Camera::new(0, 20_000);
        for datagram in sent(&mut other, &mut camera, 0) {
            receiver.handle_rtp(epoch(), &datagram);
        }
        // The first frame is four times as long as the others.
        let mut camera = Camera::new(0, 20_000);
        let mut give = |receiver: &mut Session, bytes: usize| {
            for _ in 0..bytes / 20_000 {
                for datagram in sent(&mut sender, &mut camera, 0) {
                    receiver.handle_rtp(epoch(), &datagram);
                }
            }
        };
        // It is looked at each sixteenth of the limit.
        give(&mut receiver, most - most / 16 - 200_000);
        let all = held(&mut receiver, epoch() + ms(1));
        assert_eq!(all[1], 80_000);
        assert!(all[0] > most - most / 16 - 300_000, "{all:?} of {most}");
        give(&mut receiver, 200_000);
        receiver.set_delivery(VIDEO, frames());
        give(&mut receiver, most + most / 16);
        let all = held(&mut receiver, epoch() + ms(1));
        assert!(all[0] <= most / 8 + 300_000, "{all:?} of {most}");
        let dropped = receiver.receive_stats(VIDEO).map(|it| it.2.frames_dropped);
        assert!(dropped.sum::<u64>() > 10);
        let mut buf = Vec::new();
        assert!(receiver.poll_rtcp(epoch() + ms(1), 1200, &mut buf));
        let asks = |it| matches!(it, rtcp::Rtcp::Pli(it) if it.media == 1000);
        assert!(rtcp::Compound::parse(&buf).unwrap().any(asks));
    }
}
