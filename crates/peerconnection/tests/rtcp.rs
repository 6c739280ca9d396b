//! RTCP as an application reads and writes it, over sockets of this machine.
#![expect(clippy::unwrap_used, reason = "a test stops where it is wrong")]

mod call;

use std::time::Duration;

use oxirtc_peerconnection::{
    ErrorKind, MediaKind, MediaStreamTrack, PeerConnectionState,
    media::{Codec, EncodedFrame, RtcpApp, rtcp::Rtcp},
};

use call::{connection, negotiate, within};

fn app(subtype: u8, data: &[u8]) -> RtcpApp {
    RtcpApp {
        name: *b"test",
        subtype,
        data: data.to_vec().into(),
    }
}

/// What the peer reports is read as it came; what an application sends of its own comes to the application of the other end.
#[tokio::test]
async fn reports_are_read_and_packets_of_applications_go_both_ways() {
    let (near, far) = (connection(), connection());
    let (microphone, sound) = MediaStreamTrack::from_frames(MediaKind::Audio);
    let sender = near.add_track(&microphone, &[]).unwrap();
    negotiate(&near, &far).await;
    within(near.wait_for(PeerConnectionState::Connected))
        .await
        .unwrap();
    within(far.wait_for(PeerConnectionState::Connected))
        .await
        .unwrap();
    let here = sender.transport().unwrap();
    let there = far.transceivers()[0].receiver().transport().unwrap();
    let (mut read_here, mut read_there) = (here.rtcp(), there.rtcp());
    let speaking = tokio::spawn(async move {
        loop {
            let mut payload = vec![7; 80];
            payload[0] = 0xfc;
            let frame = EncodedFrame::new(Codec::Opus, payload);
            if sound.write(frame).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    there.send_app(&app(31, &[1, 2, 3, 4])).unwrap();
    there.send_app(&app(0, &[])).unwrap();
    let mut told = Vec::new();
    while told.len() < 2 {
        let datagram = within(read_here.next()).await.unwrap();
        for packet in datagram.packets() {
            if let Rtcp::App(it) = packet {
                told.push((it.name, it.subtype, it.data.to_vec()));
            }
        }
    }
    assert_eq!(
        told,
        [(*b"test", 31, vec![1, 2, 3, 4]), (*b"test", 0, vec![])]
    );
    here.send_app(&app(5, &[9; 512])).unwrap();
    let (mut reported, mut answered) = (false, false);
    while !reported || !answered {
        let datagram = within(read_there.next()).await.unwrap();
        assert!(!datagram.as_bytes().is_empty());
        for packet in datagram.packets() {
            reported |= matches!(&packet, Rtcp::Report(it) if it.sender.is_some());
            answered |= matches!(&packet, Rtcp::App(it) if it.data == [9; 512]);
        }
    }
    speaking.abort();
}

#[tokio::test]
async fn what_is_malformed_or_has_no_way_is_refused() {
    let (near, far) = (connection(), connection());
    let (microphone, _sound) = MediaStreamTrack::from_frames(MediaKind::Audio);
    let sender = near.add_track(&microphone, &[]).unwrap();
    near.set_local_description(None).await.unwrap();
    let transport = sender.transport().unwrap();
    let early = transport.send_app(&app(1, &[])).unwrap_err();
    assert_eq!(early.kind(), ErrorKind::InvalidState);
    near.set_local_description(None).await.unwrap();
    negotiate(&near, &far).await;
    within(near.wait_for(PeerConnectionState::Connected))
        .await
        .unwrap();
    for wrong in [app(32, &[]), app(1, &[1, 2, 3]), app(1, &[0; 516])] {
        let error = transport.send_app(&wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Type, "{wrong:?}");
    }
    let mut reader = transport.rtcp();
    near.close();
    while within(reader.next()).await.is_some() {}
    let late = transport.send_app(&app(1, &[])).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::InvalidState);
}
