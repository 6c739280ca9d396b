use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::Ntp;

fn only(buf: &[u8]) -> Rtcp<'_> {
    let mut compound = Compound::parse(buf).unwrap();
    let first = compound.next().unwrap();
    assert_eq!(compound.next(), None);
    first
}

/// Asks a packet for everything. Returns how many things it gave.
fn walk(rtcp: Rtcp<'_>) -> usize {
    match rtcp {
        Rtcp::Report(it) => it.blocks().count(),
        Rtcp::Sdes(it) => it.items().count() + it.names().count(),
        Rtcp::Bye(it) => it.sources().count(),
        Rtcp::App(it) => it.data.len(),
        Rtcp::Nack(it) => it.numbers().count(),
        Rtcp::Sli(it) => it.items().count(),
        Rtcp::Rpsi(it) => it.bits.len(),
        Rtcp::Fir(it) => it.items().count(),
        Rtcp::Tmmb(it) => it.items().count(),
        Rtcp::Remb(it) => it.streams().count(),
        Rtcp::Transport(it) => it.arrivals().count(),
        Rtcp::Congestion(it) => it.streams().map(|it| it.arrivals().count()).sum(),
        Rtcp::Extended(it) => it.blocks().count(),
        Rtcp::Pli(_) | Rtcp::Unknown { .. } => 0,
    }
}

#[test]
fn reports() {
    let block = ReportBlock {
        ssrc: 7,
        fraction: 64,
        lost: -3,
        highest: 0x1_0005,
        jitter: 90,
        last_report: 0x1234_5678,
        delay: 0x8000,
    };
    let info = SenderInfo {
        ntp: Ntp(0x0102_0304_0506_0708),
        timestamp: 9,
        packets: 10,
        bytes: 11,
    };
    let mut buf = Vec::new();
    assert_eq!(write_sender_report(&mut buf, 1, &info, &[block; 40]), 31);
    let Rtcp::Report(report) = only(&buf) else {
        panic!()
    };
    assert_eq!((report.ssrc, report.sender), (1, Some(info)));
    assert!(report.blocks().eq([block; 31]));
    let mut buf = Vec::new();
    write_receiver_report(&mut buf, 1, &[block]);
    let Rtcp::Report(report) = only(&buf) else {
        panic!()
    };
    assert_eq!((report.sender, report.blocks().len()), (None, 1));
    // RFC 3550 §6.4.1: A - LSR - DLSR.
    let arrived = Ntp(u64::from(0x1234_5678_u32 + 0x8000 + 0x4000) << 16);
    assert_eq!(block.round_trip(arrived), Some(Duration::from_millis(250)));
    assert_eq!(block.round_trip(Ntp(0x1234_5678 << 16)), None, "negative");
    let none = ReportBlock {
        last_report: 0,
        ..block
    };
    assert_eq!(none.round_trip(arrived), None);
}

/// Bytes laid out by hand after the figures of the standards, read and written: a fault that reader and writer share is seen here.
#[test]
fn bytes_are_those_of_the_figures() {
    // RFC 5104 §4.2.1.1: the SSRC, six bits of exponent, 17 of mantissa, nine of overhead. 125,000 · 2^3 bits a second.
    let rate = MaxRate {
        ssrc: 0x0102_0304,
        bits: 1_000_000,
        overhead: 40,
    };
    let word = (0b000_011_u32 << 26) | (125_000 << 9) | 40;
    let item = [&[1, 2, 3, 4][..], &word.to_be_bytes()].concat();
    let notice = |format: u8| {
        let head = [0x80 | format, 205, 0, 4, 0, 0, 0, 9, 0, 0, 0, 0];
        [&head[..], &item].concat()
    };
    let (mut request, mut answer) = (Vec::new(), Vec::new());
    write_tmmbr(&mut request, 9, &[rate]);
    write_tmmbn(&mut answer, 9, &[rate]);
    assert_eq!((request, answer), (notice(3), notice(4)));
    for (format, is_notice) in [(3, false), (4, true)] {
        let bytes = notice(format);
        let Rtcp::Tmmb(it) = only(&bytes) else {
            panic!()
        };
        assert_eq!((it.sender, it.is_notice), (9, is_notice));
        assert!(it.items().eq([rate]));
    }
}

/// The same of feedback on congestion.
#[test]
fn congestion_is_told_as_in_the_figure() {
    // RFC 8888 §3.1: of each packet whether it was received, two bits of ECN, 13 of its age; filled to words; the time last.
    let bytes = [
        &[0x80 | 11, 205, 0, 6, 0, 0, 0, 9][..],
        &[0, 0, 0, 7, 0xff, 0xff, 0, 3],
        &(0x8000_u16 | 0b01 << 13 | 10).to_be_bytes(),
        &[0, 0],
        &(0x8000_u16 | 0b11 << 13 | 0x1ffe).to_be_bytes(),
        &[0, 0],
        &[0x11, 0x22, 0x33, 0x44],
    ]
    .concat();
    let arrivals = [
        Some(Arrival {
            ecn: 1,
            before: Some(10),
        }),
        None,
        Some(Arrival {
            ecn: 3,
            before: None,
        }),
    ];
    let mut written = Vec::new();
    write_congestion(&mut written, 9, 0x1122_3344, &[(7, 0xffff, &arrivals)]);
    assert_eq!(written, bytes);
    let Rtcp::Congestion(it) = only(&bytes) else {
        panic!()
    };
    assert_eq!((it.sender, it.time), (9, 0x1122_3344));
    let streams: Vec<_> = it.streams().collect();
    assert_eq!(
        (streams.len(), streams[0].ssrc, streams[0].first),
        (1, 7, 0xffff)
    );
    let numbers = [0xffff, 0, 1].into_iter().zip(arrivals);
    assert!(streams[0].arrivals().eq(numbers));
}

/// The same of extended reports.
#[test]
fn clocks_are_told_as_in_the_figures() {
    // RFC 3611 §2, §4.4, §4.5: type, reserved, length in words less one; the clock, or SSRC, its middle, the delay.
    let clock = [
        0x80, 207, 0, 4, 0, 0, 0, 9, 4, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8,
    ];
    let mut written = Vec::new();
    write_rrtr(&mut written, 9, Ntp(0x0102_0304_0506_0708));
    assert_eq!(written, clock);
    let Rtcp::Extended(it) = only(&clock) else {
        panic!()
    };
    let blocks: Vec<_> = it.blocks().collect();
    assert_eq!(
        (it.ssrc, &blocks[..]),
        (
            9,
            &[ExtendedBlock::ReferenceTime(Ntp(0x0102_0304_0506_0708))][..]
        )
    );
    let delays = [
        0x80, 207, 0, 5, 0, 0, 0, 9, 5, 0, 0, 3, 0, 0, 0, 7, 3, 4, 5, 6, 0, 1, 0x80, 0,
    ];
    let delay = Dlrr {
        ssrc: 7,
        last: 0x0304_0506,
        delay: 0x1_8000,
    };
    let mut written = Vec::new();
    write_dlrr(&mut written, 9, &[delay]);
    assert_eq!(written, delays);
    let Rtcp::Extended(it) = only(&delays) else {
        panic!()
    };
    let Some(ExtendedBlock::Dlrr(items)) = it.blocks().next() else {
        panic!()
    };
    assert!(items.iter().eq([delay]));
}

#[test]
fn sources() {
    let mut buf = Vec::new();
    for name in ["", "a", "ab", "abc", "abcd", "abcde"] {
        buf.clear();
        write_cname(&mut buf, 5, name.as_bytes());
        let Rtcp::Sdes(sdes) = only(&buf) else {
            panic!("{name}")
        };
        assert!(sdes.names().eq([(5, name.as_bytes())]));
        assert_eq!(sdes.mids().count(), 0);
        buf.clear();
        write_sdes(&mut buf, 5, b"me", Some(name));
        let Rtcp::Sdes(sdes) = only(&buf) else {
            panic!("{name}")
        };
        assert!(sdes.names().eq([(5, &b"me"[..])]));
        assert!(sdes.mids().eq([(5, name)]));
    }
    // Two chunks, the second with two items.
    let two = [
        0x82, 202, 0, 6, 0, 0, 0, 1, 1, 1, b'x', 0, 0, 0, 0, 2, 2, 2, b'n', b'n', 1, 3, b'a', b'b',
        b'c', 0, 0, 0,
    ];
    let Rtcp::Sdes(sdes) = only(&two) else {
        panic!()
    };
    let kinds: Vec<_> = sdes
        .items()
        .map(|it| (it.ssrc, it.kind, it.value.len()))
        .collect();
    assert_eq!(kinds, [(1, 1, 1), (2, 2, 2), (2, 1, 3)]);
    let mut buf = Vec::new();
    write_bye(&mut buf, &[1, 2]);
    let Rtcp::Bye(bye) = only(&buf) else { panic!() };
    assert!(bye.sources().eq([1, 2]) && bye.reason.is_none());
    let reason = [0x81, 203, 0, 2, 0, 0, 0, 1, 2, b'o', b'k', 0];
    let Rtcp::Bye(bye) = only(&reason) else {
        panic!()
    };
    assert_eq!(bye.reason, Some(&b"ok"[..]));
    let app = App {
        ssrc: 3,
        subtype: 17,
        name: *b"oxid",
        data: &[1, 2, 3, 4],
    };
    let mut buf = Vec::new();
    write_app(&mut buf, &app);
    assert_eq!(only(&buf), Rtcp::App(app));
}

#[test]
fn feedback() {
    let mut buf = Vec::new();
    let numbers = [65_530, 65_535, 0, 10, 11, 500];
    assert_eq!(write_nack(&mut buf, 100, 1, 2, numbers), 6);
    let Rtcp::Nack(nack) = only(&buf) else {
        panic!()
    };
    assert_eq!((nack.sender, nack.media, buf.len()), (1, 2, 12 + 3 * 4));
    assert!(nack.numbers().eq(numbers));
    buf.clear();
    let many = (0..1000).step_by(20);
    assert_eq!(write_nack(&mut buf, 100, 1, 2, many), 22);
    assert_eq!(buf.len(), 100);
    buf.clear();
    assert_eq!(write_nack(&mut buf, 100, 1, 2, []), 0);
    assert!(buf.is_empty());

    write_pli(&mut buf, 3, 4);
    assert_eq!(
        only(&buf),
        Rtcp::Pli(Pli {
            sender: 3,
            media: 4
        })
    );
    buf.clear();
    let items = [
        FirItem { ssrc: 5, number: 6 },
        FirItem { ssrc: 7, number: 8 },
    ];
    write_fir(&mut buf, 3, &items);
    let Rtcp::Fir(fir) = only(&buf) else { panic!() };
    assert!(fir.items().eq(items));
    let sli = [
        0x82, 206, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0x00, 0x10, 0x00, 0x45,
    ];
    let Rtcp::Sli(sli) = only(&sli) else { panic!() };
    let item = SliItem {
        first: 2,
        count: 1,
        picture: 5,
    };
    assert!(sli.items().eq([item]));
    let rpsi = [0x83, 206, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 8, 96, 0xaa, 0];
    let Rtcp::Rpsi(rpsi) = only(&rpsi) else {
        panic!()
    };
    assert_eq!((rpsi.payload_type, rpsi.bits), (96, &[0xaa][..]));
}

#[test]
fn rates() {
    let mut buf = Vec::new();
    write_remb(&mut buf, 1, 2_500_001, &[5, 6]);
    let Rtcp::Remb(remb) = only(&buf) else {
        panic!()
    };
    assert!(
        remb.bits <= 2_500_001 && remb.bits > 2_499_980,
        "{}",
        remb.bits
    );
    assert!(remb.streams().eq([5, 6]));
    buf[16..20].copy_from_slice(&[2, 0xff, 0xff, 0xff]);
    let Rtcp::Remb(remb) = only(&buf) else {
        panic!()
    };
    assert_eq!(remb.bits, u64::MAX, "an exponent of 63");
    buf.clear();
    let rate = MaxRate {
        ssrc: 9,
        bits: 96_000,
        overhead: 40,
    };
    write_tmmbr(&mut buf, 1, &[rate]);
    let Rtcp::Tmmb(tmmb) = only(&buf) else {
        panic!()
    };
    assert!(!tmmb.is_notice && tmmb.items().eq([rate]));
    buf.clear();
    write_tmmbn(&mut buf, 1, &[rate, rate]);
    let Rtcp::Tmmb(tmmb) = only(&buf) else {
        panic!()
    };
    assert!(tmmb.is_notice && tmmb.items().eq([rate, rate]));
}

#[test]
fn extended_reports() {
    let mut buf = Vec::new();
    write_rrtr(&mut buf, 1, Ntp(77));
    let Rtcp::Extended(extended) = only(&buf) else {
        panic!()
    };
    assert!(
        extended
            .blocks()
            .eq([ExtendedBlock::ReferenceTime(Ntp(77))])
    );
    buf.clear();
    let item = Dlrr {
        ssrc: 1,
        last: 2,
        delay: 3,
    };
    write_dlrr(&mut buf, 1, &[item, item]);
    let Rtcp::Extended(extended) = only(&buf) else {
        panic!()
    };
    let Some(ExtendedBlock::Dlrr(items)) = extended.blocks().next() else {
        panic!()
    };
    assert!(items.iter().eq([item, item]));
    let unknown = [0x80, 207, 0, 3, 0, 0, 0, 1, 99, 0, 0, 1, 1, 2, 3, 4];
    let Rtcp::Extended(extended) = only(&unknown) else {
        panic!()
    };
    assert!(extended.blocks().eq([ExtendedBlock::Unknown(99)]));
}

/// Transport-wide feedback as libwebrtc has sent it: runs and vectors of statuses, filled up by single bytes.
#[test]
fn transport_feedback_of_a_browser_is_read() {
    let run = [
        0xaf, 0xcd, 0x00, 0x05, 0xfa, 0x17, 0xfa, 0x17, 0x43, 0x03, 0x2f, 0xa0, 0x00, 0x99, 0x00,
        0x01, 0x3d, 0xe8, 0x02, 0x17, 0x20, 0x01, 0x94, 0x01,
    ];
    let Rtcp::Transport(feedback) = only(&run) else {
        panic!("{:?}", only(&run))
    };
    assert_eq!(
        (feedback.sender, feedback.media),
        (0xfa17_fa17, 0x4303_2fa0)
    );
    assert_eq!(
        (feedback.base, feedback.count, feedback.number),
        (153, 1, 23)
    );
    let start = 4_057_090 * 256;
    assert!(feedback.arrivals().eq([(153, Some(start + 148))]));
    let vector = [
        0x8f, 0xcd, 0x00, 0x07, 0xfa, 0x17, 0xfa, 0x17, 0x09, 0xfa, 0xff, 0x67, 0x00, 0x27, 0x00,
        0x0d, 0x5f, 0xc2, 0xf1, 0x03, 0xbf, 0x8e, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x1c,
        0x04, 0x00,
    ];
    let Rtcp::Transport(feedback) = only(&vector) else {
        panic!("{:?}", only(&vector))
    };
    assert_eq!(
        (feedback.base, feedback.count, feedback.number),
        (39, 13, 3)
    );
    let start = 6_275_825 * 256;
    let came = [16, 16, 16, 16, 16, 16, 16, -1, -1, -1, 44, 48, 48];
    let came = came.map(|it| (it >= 0).then_some(start + it));
    assert!(feedback.arrivals().eq((39..).zip(came)));
}

/// Known failure 21.
#[test]
fn a_compound_is_whole_or_refused() {
    let mut buf = Vec::new();
    write_receiver_report(&mut buf, 1, &[]);
    write_cname(&mut buf, 1, b"me");
    write_pli(&mut buf, 1, 2);
    assert_eq!(Compound::parse(&buf).unwrap().count(), 3);
    for len in 0..buf.len() {
        let whole = [8, 24].contains(&len);
        assert_eq!(Compound::parse(&buf[..len]).is_ok(), whole, "{len}");
    }
    buf[8] = 0x41;
    assert_eq!(Compound::parse(&buf), Err(Malformed));
    // Padding at the end, and padding that is more than there is.
    let mut padded = vec![0xa0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4];
    let Rtcp::Report(report) = only(&padded) else {
        panic!()
    };
    assert_eq!(report.ssrc, 1);
    for wrong in [0, 3, 12] {
        padded[11] = wrong;
        assert_eq!(Compound::parse(&padded), Err(Malformed), "{wrong}");
    }
    // Types that nobody knows are passed over; known ones that are broken are said to be so.
    let kinds = |buf: &[u8]| {
        only(buf)
            == Rtcp::Unknown {
                kind: buf[1],
                format: 0,
                broken: buf[1] == 200,
            }
    };
    assert!(kinds(&[0x80, 210, 0, 1, 0, 0, 0, 1]) && kinds(&[0x80, 200, 0, 1, 0, 0, 0, 1]));
    assert!(is_rtcp(&buf) && !is_rtcp(&[0x80, 96]) && !is_rtcp(&[0x80]));
}

proptest! {
    #![proptest_config(oxirtc_netsim::cases(256))]

    #[test]
    fn transport_feedback_comes_back(
        base in 0_u64..100_000,
        steps in prop::collection::vec((prop_oneof![8 => 1_u64..3, 1 => 1_u64..40], prop_oneof![8 => 0_i64..40, 1 => -300_i64..3000]), 1..300),
        start in 0_i64..1_000_000,
        room in 60_usize..1200,
    ) {
        let (mut number, mut time) = (base, start);
        let arrivals: Vec<_> = steps.iter().map(|(step, delta)| {
            number += step;
            time = (time + delta).max(0);
            (number, time)
        }).collect();
        let mut buf = Vec::new();
        let taken = write_transport(&mut buf, room, [1, 2], 9, &arrivals);
        prop_assert!(taken > 0 && buf.len() <= room, "{} of {}", buf.len(), room);
        let Rtcp::Transport(feedback) = only(&buf) else { panic!("{buf:?}") };
        prop_assert_eq!((feedback.number, feedback.base), (9, arrivals[0].0 as u16));
        let read: Vec<_> = feedback.arrivals().filter_map(|it| Some((it.0, it.1?))).collect();
        let written: Vec<_> = arrivals[..taken].iter().map(|it| (it.0 as u16, it.1)).collect();
        prop_assert_eq!(read, written);
        let last = arrivals[taken - 1].0 - arrivals[0].0 + 1;
        prop_assert_eq!(feedback.arrivals().count() as u64, last);
    }

    #[test]
    fn congestion_feedback_comes_back(arrivals in prop::collection::vec(prop::option::of((0_u8..4, 0_u16..0x1ffe)), 0..50)) {
        let arrivals: Vec<_> = arrivals.into_iter().map(|it| it.map(|(ecn, before)| Arrival { ecn, before: Some(before) })).collect();
        let mut buf = Vec::new();
        write_congestion(&mut buf, 1, 2, &[(5, 65_530, &arrivals), (6, 1, &[])]);
        let Rtcp::Congestion(feedback) = only(&buf) else { panic!() };
        prop_assert_eq!((feedback.sender, feedback.time), (1, 2));
        let streams: Vec<_> = feedback.streams().collect();
        prop_assert_eq!(streams.len(), 2);
        prop_assert!(streams[0].arrivals().map(|it| it.1).eq(arrivals));
    }

    #[test]
    fn whatever_comes_is_survived(kind in 200_u8..208, format in 0_u8..32, mut body in prop::collection::vec(any::<u8>(), 0..120)) {
        body.truncate(body.len() / 4 * 4);
        let mut buf = vec![0x80 | format, kind, 0, (body.len() / 4) as u8];
        buf.extend_from_slice(&body);
        for padded in [0, 0x20] {
            buf[0] |= padded;
            if let Ok(compound) = Compound::parse(&buf) {
                let found: usize = compound.map(walk).sum();
                // A run of statuses is the one thing that is longer than its bytes.
                prop_assert!(found <= body.len() * 8192);
            }
        }
    }
}
