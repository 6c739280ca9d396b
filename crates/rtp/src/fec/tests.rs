use proptest::prelude::*;

use super::*;
use crate::{Form, RtpHead, Writer};

fn packet(number: u16, len: usize) -> Vec<u8> {
    let head = RtpHead {
        payload_type: 96,
        marker: number.is_multiple_of(3),
        sequence: number,
        timestamp: u32::from(number) * 3000,
        ssrc: 7,
    };
    let mut buf = Vec::new();
    let mut writer = Writer::begin(&mut buf, head, &[], Form::OneByte);
    writer.extend(1, b"mid");
    // This one changes when it leaves.
    writer.extend(2, &number.to_be_bytes());
    writer.finish();
    buf.extend((0..len).map(|at| (at as u8).wrapping_mul(number as u8)));
    buf
}

fn ids() -> Ids {
    Ids::new().with(Kind::Mid, 1).with(Kind::TransportNumber, 2)
}

proptest! {
    #![proptest_config(oxirtc_netsim::cases(256))]

    /// One of a group can be lost, whichever: it comes back but for what changes.
    #[test]
    fn one_of_a_group_comes_back(start: u16, lens in prop::collection::vec(0_usize..200, 2..10), lost: prop::sample::Index, flex: bool) {
        let packets: Vec<_> = lens.iter().enumerate().map(|(at, len)| packet(start.wrapping_add(at as u16), *len)).collect();
        let mut parity = Parity::default();
        for (at, packet) in packets.iter().enumerate() {
            parity.add(u64::from(start) + at as u64, packet, &ids(), at + 1 == packets.len());
        }
        let repair = parity.take().unwrap();
        let mut wire = Vec::new();
        let read = if flex {
            flex::write(&mut wire, 7, &repair);
            flex::parse(&wire).map(|it| it.1)
        } else {
            ulp::write(&mut wire, &repair);
            ulp::parse(&wire)
        };
        prop_assert_eq!(read.as_ref(), Some(&repair));
        let lost = lost.index(packets.len());
        let mut recovery = Recovery::default();
        for (at, packet) in packets.iter().enumerate().filter(|it| it.0 != lost) {
            recovery.note(start.wrapping_add(at as u16), packet, &ids());
        }
        recovery.repair(oxirtc_netsim::epoch(), repair);
        let recovered = recovery.recover(7).unwrap();
        let mut expected = packets[lost].clone();
        clear_changing(&mut expected, &ids()).unwrap();
        prop_assert_eq!(recovered, expected);
        prop_assert_eq!(recovery.recover(7), None);
    }

    #[test]
    fn masks_of_all_lengths_come_back(base: u16, mask in 1_u128..1 << 46) {
        let sum = Sum { head: [0x10, 96], timestamp: 5, len: 9, rest: vec![1, 2, 3] };
        let repair = Repair { base, mask, sum };
        let (mut ulp, mut flex) = (Vec::new(), Vec::new());
        ulp::write(&mut ulp, &repair);
        flex::write(&mut flex, 7, &repair);
        prop_assert_eq!(ulp::parse(&ulp), Some(repair.clone()));
        prop_assert_eq!(flex::parse(&flex), Some((7, repair)));
        for len in 0..ulp.len() {
            prop_assert_eq!(ulp::parse(&ulp[..len]), None);
        }
    }

    #[test]
    fn whatever_comes_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut recovery = Recovery::default();
        for number in 0..20 {
            recovery.note(number, &packet(number, 20), &ids());
        }
        for repair in [ulp::parse(&bytes), flex::parse(&bytes).map(|it| it.1)].into_iter().flatten() {
            recovery.repair(oxirtc_netsim::epoch(), repair);
        }
        while let Some(packet) = recovery.recover(7) {
            let _ = Rtp::parse(&packet);
        }
    }
}

/// Whatever fills the header extension up, a packet that came is added up as it was.
#[test]
fn headers_are_added_up_as_they_came() {
    let now = oxirtc_netsim::epoch();
    let format = |payload_type, role| crate::Format {
        payload_type,
        role,
        clock: 90_000,
    };
    for filled in [
        &[0x10, 7, 0x20, 8][..],
        &[0x10, 7, 0, 0, 0x20, 8, 0, 0],
        &[0; 4],
    ] {
        let packet = |payload_type, number: u16, payload: &[u8]| {
            let mut packet = vec![0x90, payload_type];
            packet.extend(number.to_be_bytes());
            packet.extend([
                0,
                0,
                0,
                1,
                0,
                0,
                0,
                9,
                0xbe,
                0xde,
                0,
                filled.len() as u8 / 4,
            ]);
            packet.extend([filled, payload].concat());
            packet
        };
        let section = crate::Section {
            receives: true,
            formats: vec![
                format(96, crate::Carries::Media(crate::payload::Codec::Vp8)),
                format(120, crate::Carries::Red),
                format(121, crate::Carries::Ulpfec),
            ],
            ..crate::Section::default()
        };
        let mut session =
            crate::Session::new(crate::Config::new("a"), [1; 32], now, crate::Ntp(1 << 40));
        session.set_section(crate::SectionId(0), section);
        let delivery = crate::Delivery {
            packets: true,
            ..crate::Delivery::default()
        };
        session.set_delivery(crate::SectionId(0), delivery);
        let body = |number: u16| [0, number as u8, 3, 4, 5];
        let parity = |from: u16| {
            let mut sum = Sum::default();
            for number in from..from + 2 {
                sum.add(&Sum::of(&packet(96, number, &body(number)), &ids()).unwrap());
            }
            let (base, mask) = (from, 3);
            let mut wire = vec![121];
            ulp::write(&mut wire, &Repair { base, mask, sum });
            wire
        };
        let red = |number| packet(120, number, &[&[96][..], &body(number)].concat());
        // What came before the first parity is not kept; 4 is lost.
        for packet in [
            red(1),
            packet(120, 2, &parity(0)),
            red(3),
            packet(120, 5, &parity(3)),
        ] {
            session.handle_rtp(now, &packet);
        }
        let (_, _, batch) = session.poll_batch().unwrap();
        let found = batch.packets.iter().find(|it| it.sequence as u16 == 4);
        assert_eq!(&found.unwrap().payload[..], body(4), "{filled:?}");
    }
}

/// Parity that came first waits for the packets, and is of no use once one of them was too long ago.
#[test]
fn parity_waits_for_packets() {
    for (between, comes_back) in [(0, true), (150, true), (192, false)] {
        let mut parity = Parity::default();
        for number in 0..4 {
            parity.add(number, &packet(number as u16, 40), &ids(), number == 3);
        }
        let mut recovery = Recovery::default();
        recovery.note(u16::MAX, &packet(u16::MAX, 40), &ids());
        recovery.repair(oxirtc_netsim::epoch(), parity.take().unwrap());
        for number in [0, 1] {
            assert_eq!(recovery.recover(7), None);
            recovery.note(number, &packet(number, 40), &ids());
        }
        for number in 0..between {
            recovery.note(1000 + number, &packet(1000 + number, 40), &ids());
            assert_eq!(recovery.recover(7), None, "two are missing");
        }
        recovery.note(3, &packet(3, 40), &ids());
        let recovered = recovery.recover(7);
        assert_eq!(recovered.is_some(), comes_back, "{between}");
        assert_eq!(recovery.unused(), u64::from(!comes_back));
        assert_eq!(recovery.recover(7), None);
    }
}
