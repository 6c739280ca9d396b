//! What a peer can make a connection hold of its media, as `Settings` bound it.

mod pair;

use oxirtc_netsim::{Link, ms};
use oxirtc_peerconnection::{
    Configuration, MediaKind,
    engine::{Cutter, Settings, TrackId, TransceiverId},
    media::{Codec, EncodedFrame},
};

use pair::{
    Pair,
    media::{ONE, TWO, connect},
};

/// Two tracks are sent: what of each comes to a peer that follows so many streams.
fn come(most: usize) -> Vec<bool> {
    let configuration = [(); 2].map(|()| Configuration::default());
    let settings = [
        Settings::default(),
        Settings::default().most_remote_streams(most),
    ];
    let mut pair = Pair::with_each(1, Link::new(1).delay(ms(5)), configuration, settings);
    for track in [ONE, TWO] {
        let streams = vec!["stream".to_owned()];
        let added = pair.ends[0]
            .engine
            .add_track(MediaKind::Video, track, streams);
        added.expect("it is open");
    }
    connect(&mut pair);
    let ids = |side: usize| -> Vec<TransceiverId> {
        let engine = &pair.ends[side].engine;
        engine.transceivers().map(|it| it.id()).collect()
    };
    let (near, far) = (ids(0), ids(1));
    let mut payload = vec![7; 500];
    payload[..10].copy_from_slice(&[0, 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
    let frame = EncodedFrame::new(Codec::Vp8, payload);
    let come = near.into_iter().zip(far).map(|(near, far)| {
        let now = pair.now;
        let batch = Cutter::new().cut_frame(now, 0, &frame);
        let batch = batch.expect("a frame of VP8");
        pair.ends[0].engine.write(now, near, &batch);
        pair.run(ms(100));
        let now = pair.now;
        pair.ends[1].engine.read_frame(now, far).is_some()
    });
    come.collect()
}

/// The peer has a third SSRC, by which it reports before it sends.
#[test]
fn so_many_streams_are_followed() {
    assert_eq!(come(3), [true, true]);
    assert_eq!(come(2), [true, false]);
}

/// The limit of SRTP is that of RTP: where more SSRCs are allowed than either remembers by itself, all come.
#[test]
fn more_streams_are_followed_where_they_are_allowed() {
    const COUNT: u32 = 260;
    let configuration = [(); 2].map(|()| Configuration::default());
    let settings = [
        Settings::default(),
        Settings::default().most_remote_streams(300),
    ];
    let mut pair = Pair::with_each(2, Link::new(2).delay(ms(5)), configuration, settings);
    for track in 0..COUNT {
        let engine = &mut pair.ends[0].engine;
        let added = engine.add_track(MediaKind::Audio, TrackId(track.into()), Vec::new());
        added.expect("it is open");
    }
    connect(&mut pair);
    let [near, far] = [0, 1].map(|side| -> Vec<TransceiverId> {
        let engine = &pair.ends[side].engine;
        engine.transceivers().map(|it| it.id()).collect()
    });
    let frame = EncodedFrame::new(Codec::Opus, vec![0x18; 40]);
    for id in near {
        let now = pair.now;
        let batch = Cutter::new().cut_frame(now, 0, &frame).expect("Opus");
        pair.ends[0].engine.write(now, id, &batch);
    }
    pair.run(ms(300));
    let now = pair.now;
    let engine = &mut pair.ends[1].engine;
    let come = far
        .into_iter()
        .filter(|id| engine.read_frame(now, *id).is_some());
    assert_eq!(come.count(), COUNT as usize);
}
