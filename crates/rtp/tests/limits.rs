//! What the peer can make a session hold: each limit at its edge, as it is by default and as it was configured.

mod support;

use std::{collections::BTreeMap, sync::Arc};

use oxirtc_netsim::{epoch, ms};
use oxirtc_rtp::{
    Announced, Batch, Config, Delivery, Event, Form, Ntp, RtpHead, SectionId, Session, Writer,
    extension::{Ids, Kind, Label, Values},
    payload::{Codec, Layering, Packetizer, Refused},
    rtcp,
};

use support::{AUDIO, Camera, VIDEO, announced, audio, encoding, frames, video};

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

/// A packet of video comes: how many were left out as nobody reads.
fn unread(session: &mut Session, sequence: u16, ssrc: u32) -> u64 {
    let mut packet = Vec::new();
    let head = RtpHead {
        payload_type: 96,
        marker: false,
        sequence,
        timestamp: 0,
        ssrc,
    };
    Writer::begin(&mut packet, head, &[], Form::OneByte).finish();
    packet.extend([0x10, 0]);
    session.handle_rtp(epoch(), &packet);
    session.stats().unread
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
        let unread = unread(&mut session, sequence, 7);
        if sequence == 4095 {
            assert_eq!(unread, 0);
        }
    }
    assert_eq!(session.stats().unread, 4096);
    // A lane that is full loses nothing to another.
    for sequence in 5000..8192 {
        assert_eq!(unread(&mut session, sequence, 7), 4096);
    }
    let mut other = video();
    other.announced = vec![announced(70)];
    session.set_section(SectionId(70), other);
    session.set_delivery(SectionId(70), delivery);
    assert_eq!(unread(&mut session, 1, 70), 4096);
    let (_, _, batch) = session.poll_batch().unwrap();
    assert_eq!(batch.packets.len(), 4096);
    assert_eq!(batch.packets[0].sequence as u16, 4096);
}

/// What was left out before it came here is counted.
#[test]
fn what_lagged_is_counted() {
    let mut session = session(config());
    session.set_section(VIDEO, video());
    session.lag(VIDEO, 3);
    session.lag(VIDEO, 4);
    assert_eq!(session.stats().lagged, 7);
}

/// What waits of all lanes together has a limit too, and the lane of which most waits loses what does.
#[test]
fn so_many_packets_of_all_lanes_wait_to_be_read() {
    let mut session = session(config());
    let delivery = Delivery {
        packets: true,
        ..Delivery::default()
    };
    for number in 1..=8 {
        let mut section = video();
        section.announced = vec![Announced {
            rtx: None,
            ..announced(number)
        }];
        let id = SectionId(100 + number);
        session.set_section(id, section);
        session.set_delivery(id, delivery);
    }
    // Seven lanes of 2,048 and one of 2,047: one more fits, and the next one does not.
    for ssrc in 1..=8 {
        for sequence in 0..2048 - u16::from(ssrc == 8) {
            assert_eq!(unread(&mut session, sequence, ssrc), 0);
        }
    }
    assert_eq!(unread(&mut session, 2048, 3), 0);
    assert_eq!(
        unread(&mut session, 2047, 8),
        2049,
        "of the third most waits"
    );
    let left = std::iter::from_fn(|| session.poll_batch());
    let of = |(id, _, batch): (SectionId, _, Arc<Batch>)| (id.0 - 100, batch.packets.len());
    let left: BTreeMap<_, _> = left.map(of).collect();
    let expected = [1, 2, 4, 5, 6, 7, 8].map(|it| (it, 2048));
    assert_eq!(left, BTreeMap::from(expected));
    // They were read, so there is room for as much again.
    for ssrc in 1..=8 {
        for sequence in 3000..5048 {
            assert_eq!(unread(&mut session, sequence, ssrc), 2049);
        }
    }
    // What goes with its section waits no more.
    session.remove_section(SectionId(101));
    for sequence in 5048..7096 {
        assert_eq!(unread(&mut session, sequence, 2), 2049);
    }
    assert_eq!(unread(&mut session, 7096, 2), 2049 + 4096);
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

/// One packet of VP8 on a stream.
fn packet(ssrc: u32, number: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    let head = RtpHead {
        payload_type: 96,
        marker: false,
        sequence: number,
        timestamp,
        ssrc,
    };
    Writer::begin(&mut packet, head, &[], Form::OneByte).finish();
    packet.extend(payload);
    packet
}

/// Feedback of forty bytes on all numbers there are, of which none has arrived.
fn none_arrived() -> Vec<u8> {
    let mut datagram = vec![0x8f, 205, 0, 9];
    datagram.extend([0, 0, 0, 7, 0, 0, 3, 232, 0, 0, 0xff, 0xff, 0, 0, 0, 0]);
    datagram.extend([0x1f, 0xff].repeat(8));
    datagram.extend([0, 7, 0, 0]);
    datagram
}

/// However often the peer tells that a packet is missing, it is told once, and what nobody reads is as long as what is remembered.
#[test]
fn unread_feedback_is_bounded() {
    let mut session = session(config());
    session.set_section(VIDEO, video());
    session.set_encodings(VIDEO, &[encoding(1000, 0)]);
    let mut camera = Camera::new(0, 100_000);
    let mut count = 0;
    for frame in 0..20 {
        count += sent(&mut session, &mut camera, frame * 33).len();
        session.handle_rtcp(epoch() + ms(frame * 33), &none_arrived());
        session.handle_rtcp(epoch() + ms(frame * 33), &none_arrived());
    }
    assert_eq!(session.stats().transport_lost, count as u64);
    let unread = std::iter::from_fn(|| session.poll_feedback());
    assert_eq!(unread.map(|it| it.packets.len()).sum::<usize>(), count);
    while count < 20_000 {
        count += sent(&mut session, &mut camera, 1000).len();
        session.handle_rtcp(epoch() + ms(1000), &none_arrived());
    }
    let unread = std::iter::from_fn(|| session.poll_feedback());
    let unread: usize = unread.map(|it| it.packets.len()).sum();
    assert!((4096..=8192).contains(&unread), "{unread}");
    // One that comes late has arrived all the same.
    let last = sent(&mut session, &mut camera, 2000).pop().unwrap();
    let of = oxirtc_rtp::Rtp::parse(&last).unwrap();
    let number = of.extensions.clone().find(|it| it.0 == 4).unwrap().1;
    let number = u16::from_be_bytes(number.try_into().unwrap());
    session.handle_rtcp(epoch() + ms(2010), &none_arrived());
    let mut arrived = Vec::new();
    rtcp::write_transport(&mut arrived, 1200, [7, 1000], 1, &[(number.into(), 5)]);
    session.handle_rtcp(epoch() + ms(2020), &arrived);
    let told: Vec<_> = std::iter::from_fn(|| session.poll_feedback()).collect();
    let of = |at: usize| {
        told[at]
            .packets
            .iter()
            .filter(|it| it.number as u16 == number)
    };
    assert!(of(0).all(|it| it.arrived.is_none()) && of(0).count() == 1);
    assert!(of(1).all(|it| it.arrived.is_some()) && of(1).count() == 1);
}

/// A packet takes more than its payload: small ones find the same limit.
#[test]
fn small_packets_count_for_what_they_take() {
    for (packets, lost) in [(100, 0), (1000, 1)] {
        let mut session = session(config().buffered(150_000));
        session.set_section(VIDEO, video());
        session.set_delivery(VIDEO, frames());
        for number in 0..packets {
            let payload: &[u8] = if number == 0 {
                &[0x10, 0, 0, 0]
            } else {
                &[0, 0]
            };
            session.handle_rtp(epoch(), &packet(9, number, 1, payload));
        }
        let (_, _, stats) = session.receive_stats(VIDEO).next().unwrap();
        assert_eq!(stats.frames_dropped.min(1), lost, "{packets}");
    }
}

/// Sections that came and went leave nothing, and who comes in their place has nothing of theirs.
#[test]
fn sections_that_went_leave_nothing() {
    let mut session = session(config());
    let both = Delivery {
        packets: true,
        ..frames()
    };
    let mut lengths = Vec::new();
    for id in 0..200 {
        let section = SectionId(id);
        let mut video = video();
        video.mid = None;
        session.set_section(section, video);
        session.set_delivery(section, both);
        assert!(
            session.poll_batch().is_none()
                && session.read_frame(epoch() + ms(9000), section).is_none()
        );
        let key = [0x10, 0, 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0];
        for number in 0..3 {
            session.handle_rtp(epoch(), &packet(id + 1, number, number.into(), &key));
        }
        while session.poll_event().is_some() {}
        session.remove_section(section);
        while session.poll_ended().is_some() {}
        lengths.push(format!("{session:?}").len());
    }
    assert!(
        lengths[199] < lengths[9] + 1000,
        "{} and {}",
        lengths[9],
        lengths[199]
    );
}

/// RFC 3550 §6.5.1: the clock of a name is forgotten when none of its streams is there and another name comes.
#[test]
fn names_without_a_stream_give_way() {
    let mut session = session(config());
    for id in 0..70 {
        let (section, ssrc) = (SectionId(id), 100 + id);
        let now = epoch() + ms(5000 * u64::from(id));
        let mut video = video();
        video.mid = None;
        session.set_section(section, video);
        session.set_delivery(section, frames());
        let key = [0x10, 0, 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0, 1];
        session.handle_rtp(now, &packet(ssrc, 1, 9000, &key));
        let mut report = Vec::new();
        let info = rtcp::SenderInfo {
            ntp: Ntp(3_900_000_000 << 32),
            timestamp: 9000,
            packets: 1,
            bytes: 1,
        };
        rtcp::write_sender_report(&mut report, ssrc, &info, &[]);
        rtcp::write_cname(&mut report, ssrc, format!("member {id}").as_bytes());
        session.handle_rtcp(now, &report);
        // Captured 100 ms later than the first, it comes 500 ms later.
        session.handle_rtp(now, &packet(ssrc, 2, 9000, &key));
        session.handle_rtp(now + ms(500), &packet(ssrc, 3, 18_000, &key));
        session.handle_rtp(now + ms(500), &packet(ssrc, 4, 27_000, &key));
        let read = || session.read_frame(now + ms(4000), section);
        let last = std::iter::from_fn(read).last().unwrap();
        let ago = now + ms(500) - last.captured;
        assert!((ms(399)..=ms(400)).contains(&ago), "{id}: {ago:?}");
        session.remove_section(section);
    }
}

/// Of a long time no more is kept than packets were asked for.
#[test]
fn the_history_has_two_ends() {
    let long = config().history(std::time::Duration::from_secs(3600));
    let mut session = session(long.history_packets(64));
    session.set_section(VIDEO, video());
    session.set_encodings(VIDEO, &[encoding(1000, 0)]);
    let mut camera = Camera::new(0, 500);
    let first = camera.frame(epoch());
    session.write(epoch(), VIDEO, 0, &first);
    let numbers: Vec<u16> = (0..200)
        .flat_map(|at| sent(&mut session, &mut camera, at))
        .map(|it| number(&it))
        .collect();
    assert_eq!(Arc::strong_count(&first), 1);
    let back = |many: usize| numbers[numbers.len() - many];
    assert!(is_sent_again(&mut session, 200, back(64)));
    assert!(!is_sent_again(&mut session, 200, back(65)));
}

/// What is longer than an hour is an hour, and more packets than can be told apart by their numbers are as many.
#[test]
fn no_setting_is_too_large() {
    let far = std::time::Duration::MAX;
    let all = config().history(far).patience(far).report(far);
    let all = all.history_packets(usize::MAX).reorder(usize::MAX);
    let mut session = session(all.missing(usize::MAX).frame(usize::MAX));
    session.set_round_trip(far);
    session.set_section(AUDIO, audio());
    session.set_encodings(AUDIO, &[encoding(2000, 0)]);
    session.set_section(VIDEO, video());
    session.set_encodings(VIDEO, &[encoding(1000, 0)]);
    let delivery = Delivery {
        frames: true,
        packets: true,
        target: Some(far),
    };
    session.set_delivery(VIDEO, delivery);
    assert!(session.play_event(epoch(), AUDIO, 1, far));
    let mut camera = Camera::new(0, 500);
    for at in 0..100 {
        let now = epoch() + ms(at * 10);
        let packet = video_packet(at as u16 * 2);
        session.handle_rtp(now, &packet);
        sent(&mut session, &mut camera, at * 10);
        session.handle_timeout(now);
        session.poll_rtcp(now, 1200, &mut Vec::new());
        session.read_frame(now, VIDEO);
        let _ = session.poll_timeout();
    }
}

fn video_packet(sequence: u16) -> Vec<u8> {
    let mut packet = Vec::new();
    let head = RtpHead {
        payload_type: 96,
        marker: true,
        sequence,
        timestamp: u32::from(sequence) * 2970,
        ssrc: 9,
    };
    Writer::begin(&mut packet, head, &[], Form::OneByte).finish();
    packet.extend([0x10, 0, 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0, 1]);
    packet
}

/// Who reads no more leaves nothing that wakes the session, and nothing old for who reads next.
#[test]
fn what_nobody_reads_is_not_due() {
    let mut session = session(config());
    session.set_section(VIDEO, video());
    let delivery = Delivery {
        target: Some(ms(200)),
        ..frames()
    };
    session.set_delivery(VIDEO, delivery);
    let mut now = epoch();
    for at in 0..30 {
        now = epoch() + ms(33 * at);
        session.handle_rtp(now, &video_packet(at as u16));
        session.handle_timeout(now);
        while session.read_frame(now, VIDEO).is_some() {}
    }
    session.set_delivery(VIDEO, Delivery::default());
    let mut turns = 0;
    while let Some(due) = session.poll_timeout().filter(|it| *it < now + ms(10_000)) {
        turns += 1;
        assert!(
            turns < 100,
            "due again and again: {:?}",
            due.saturating_duration_since(now)
        );
        let at = due.max(now);
        session.handle_timeout(at);
        session.poll_rtcp(at, 1200, &mut Vec::new());
        while session.poll_event().is_some() {}
    }
    session.set_delivery(VIDEO, frames());
    let later = now + ms(3_600_000);
    session.handle_timeout(later);
    assert!(session.read_frame(later, VIDEO).is_none(), "an hour old");
}

/// A peer that asks for a key frame with each packet has one in 200 ms, and the last wish counts.
#[test]
fn wishes_for_key_frames_are_paced() {
    let mut session = session(config());
    session.set_section(VIDEO, video());
    session.set_encodings(VIDEO, &[encoding(1000, 0)]);
    let mut camera = Camera::new(0, 500);
    sent(&mut session, &mut camera, 0);
    while session.poll_event().is_some() {}
    let mut told = Vec::new();
    for at in 0..1500 {
        let now = epoch() + ms(at);
        let mut buf = Vec::new();
        rtcp::write_pli(&mut buf, 77, 1000);
        if at <= 1000 {
            session.handle_rtcp(now, &buf);
        }
        if session.poll_timeout().is_some_and(|it| it <= now) {
            session.handle_timeout(now);
        }
        while let Some(event) = session.poll_event() {
            if matches!(event, Event::KeyframeRequested { .. }) {
                told.push(at);
            }
        }
    }
    assert_eq!(told, [0, 200, 400, 600, 800, 1000]);
}

/// A number that a section had for an extension means another once that section has gone.
#[test]
fn ids_end_with_their_section() {
    let mut session = session(config());
    session.set_section(SectionId(7), video());
    session.remove_section(SectionId(7));
    let mut section = video();
    section.ids = Ids::new().with(Kind::TransportNumber, 1);
    session.set_section(VIDEO, section);
    let mut packet = Vec::new();
    let head = RtpHead {
        payload_type: 96,
        ssrc: 9,
        ..RtpHead::default()
    };
    let mut writer = Writer::begin(&mut packet, head, &[], Form::OneByte);
    assert!(writer.extend(1, &[0x61, 0x61]));
    writer.finish();
    packet.extend([0x10, 0, 0, 0]);
    session.handle_rtp(epoch(), &packet);
    assert!(session.is_received(VIDEO), "{:?}", session.stats());
}

/// RFC 9143 §9.2: a name that comes late moves nothing, and one that nobody has is no stream's.
#[test]
fn a_late_mid_moves_nothing() {
    let mut session = session(config());
    for (at, mid) in ["a", "b"].into_iter().enumerate() {
        let mut section = video();
        section.mid = Label::new(mid);
        session.set_section(SectionId(at as u32), section);
    }
    let mut bound = Vec::new();
    for (sequence, mid) in [(1, "a"), (2, "a"), (4, "b"), (3, "a"), (5, "zz"), (6, "b")] {
        let mut packet = Vec::new();
        let head = RtpHead {
            payload_type: 96,
            sequence,
            ssrc: 9,
            ..RtpHead::default()
        };
        let mut writer = Writer::begin(&mut packet, head, &[], Form::OneByte);
        assert!(writer.extend(1, mid.as_bytes()));
        writer.finish();
        packet.extend([0x10, 0, 0, 0]);
        session.handle_rtp(epoch(), &packet);
        while let Some(event) = session.poll_event() {
            if let Event::Bound { section, .. } = event {
                bound.push((sequence, section.0));
            }
        }
    }
    assert_eq!(bound, [(1, 0), (4, 1)]);
    assert_eq!(session.stats().unrouted, 1);
}
