//! One publisher, a node that forwards, three receivers; loss on each hop, layers switched, one that stalls.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing step is a failing test"
)]

mod support;

use oxirtc_netsim::{Link, for_each_seed, ms, percent};
use oxirtc_rtp::{Choice, Delivery, Encoding, extension::Label};

use support::{Camera, Film as _, Pair, VIDEO, asked, check, encoding, video};

/// The publisher's hop: two lanes with rids.
fn uplink(seed: u64, link: &Link) -> Pair {
    let mut pair = Pair::between(seed, link);
    let rids = ["lo", "hi"].map(|it| Label::new(it).unwrap());
    let layer = |lane: u8| Encoding {
        rid: Some(rids[usize::from(lane)]),
        ..encoding(1000 + 10 * u32::from(lane), lane)
    };
    pair.ends[0].set_section(VIDEO, video());
    pair.ends[0].set_encodings(VIDEO, &[layer(0), layer(1)]);
    let mut section = video();
    section.rids = rids.to_vec();
    pair.ends[1].set_section(VIDEO, section);
    let packets = Delivery {
        packets: true,
        ..Delivery::default()
    };
    pair.ends[1].set_delivery(VIDEO, packets);
    pair
}

/// What a receiver saw: timestamp, length, lane, number of the frame.
type Seen = Vec<(u32, usize, u8, u8)>;

fn room(seed: u64, loss: u32) -> (Vec<Seen>, [u32; 2], Vec<u64>) {
    let link = Link::new(0).delay(ms(15)).loss(percent(loss));
    let mut up = uplink(seed * 10, &link);
    let mut downs: Vec<_> = (1..4)
        .map(|it| Pair::video(seed * 10 + it, &link))
        .collect();
    let high = Encoding {
        choice: Choice {
            lane: 1,
            ..Choice::default()
        },
        ..encoding(1000, 1)
    };
    downs[2].ends[0].set_encodings(VIDEO, &[high]);
    let mut cameras = [Camera::new(0, 2500), Camera::new(1, 9000)];
    for tick in 0..4000_u64 {
        if tick == 1500 {
            downs[0].ends[0].set_encodings(VIDEO, &[high]);
        }
        downs[1].ends[0].stalled = (2500..3200).contains(&tick);
        for camera in &mut cameras {
            camera.wants_key |= asked(&mut up.ends[0].events, camera.lane);
            if tick % 33 == 0 {
                let batch = camera.frame(up.now);
                up.ends[0].write(up.now, VIDEO, camera.lane, &batch);
            }
        }
        up.turn();
        up.now += ms(1);
        while let Some((_, lane, batch)) = up.ends[1].poll_batch() {
            for down in &mut downs {
                down.ends[0].write(down.now, VIDEO, lane, &batch);
            }
        }
        for down in &mut downs {
            down.turn();
            down.now += ms(1);
            for lane in 0..2 {
                if asked(&mut down.ends[0].events, lane) {
                    up.ends[1].request_keyframe(up.now, VIDEO, Some(lane));
                }
            }
        }
    }
    let seen = downs.iter().map(|down| {
        let frames = down.ends[1].frames.iter();
        frames
            .map(|it| (it.timestamp, it.payload.len(), check(it), it.payload[11]))
            .collect()
    });
    let switches = downs
        .iter()
        .map(|it| it.ends[0].send_stats(VIDEO).next().unwrap().2.switches);
    (
        seen.collect(),
        cameras.map(|it| it.keys),
        switches.collect(),
    )
}

#[test]
fn no_frame_is_mixed_and_nobody_waits_for_another() {
    for_each_seed(30, |seed| {
        let (seen, keys, switches) = room(seed, 5);
        for (number, frames) in seen.iter().enumerate() {
            let rising = frames
                .windows(2)
                .all(|it| it[1].0.wrapping_sub(it[0].0).cast_signed() > 0);
            assert!(rising, "receiver {number}");
            // Frames of a lane come in their order, none twice.
            for lane in 0..2 {
                let numbers: Vec<_> = frames
                    .iter()
                    .filter(|it| it.2 == lane)
                    .map(|it| it.3)
                    .collect();
                assert!(
                    numbers.windows(2).all(|it| it[1] > it[0]),
                    "receiver {number}: {numbers:?}"
                );
            }
            let least = if number == 1 { 70 } else { 95 };
            assert!(
                frames.len() >= least,
                "receiver {number}: {} of 122",
                frames.len()
            );
        }
        assert!(seen[0].iter().any(|it| it.2 == 0) && seen[0].iter().any(|it| it.2 == 1));
        assert!(seen[1].iter().all(|it| it.2 == 0) && seen[2].iter().all(|it| it.2 == 1));
        assert!(switches[0] >= 2);
        // Requests of all receivers are few for the publisher.
        assert!(keys.iter().all(|it| *it < 25), "{keys:?}");
    });
}

#[test]
fn without_loss_a_switch_costs_nothing() {
    let (seen, keys, switches) = room(3, 0);
    assert!(seen[0].len() >= 116, "{}", seen[0].len());
    assert!(seen[2].len() >= 118, "{}", seen[2].len());
    assert_eq!((switches[0], switches[2]), (2, 1));
    assert!(keys[0] <= 5 && keys[1] <= 5, "{keys:?}");
    // Time goes on over the switch as it did at the source: 33 ms a frame, or little more.
    let steps = seen[0]
        .windows(2)
        .map(|it| it[1].0.wrapping_sub(it[0].0) / 90);
    assert!(
        steps.clone().all(|step| step < 180),
        "{:?}",
        steps.collect::<Vec<_>>()
    );
}

/// Another SSRC in the place of one that was forwarded has numbers and timestamps of its own. Who is sent it sees the next key frame, with the
/// number that follows and the time that has passed.
#[test]
fn another_stream_on_the_lane_goes_on() {
    for_each_seed(30, |seed| {
        let loss = if seed % 2 == 0 { 0 } else { 5 };
        let link = Link::new(0).delay(ms(15)).loss(percent(loss));
        let mut up = uplink(seed * 10, &link);
        let mut down = Pair::video(seed * 10 + 1, &link);
        let mut camera = Camera::new(0, 2500);
        for tick in 0..6000_u64 {
            if tick % 1500 == 1499 {
                // The one before says goodbye.
                let other = Encoding {
                    rid: Label::new("lo"),
                    ..encoding(2000 + tick as u32 * 2, 0)
                };
                up.ends[0].set_encodings(VIDEO, &[other]);
            }
            camera.wants_key |= asked(&mut up.ends[0].events, 0);
            if tick % 33 == 0 {
                let batch = camera.frame(up.now);
                up.ends[0].write(up.now, VIDEO, 0, &batch);
            }
            up.turn();
            up.now += ms(1);
            while let Some((_, lane, batch)) = up.ends[1].poll_batch() {
                down.ends[0].write(down.now, VIDEO, lane, &batch);
            }
            down.turn();
            down.now += ms(1);
            if asked(&mut down.ends[0].events, 0) {
                up.ends[1].request_keyframe(up.now, VIDEO, Some(0));
            }
        }
        let frames = &down.ends[1].frames;
        frames.iter().for_each(|it| assert_eq!(check(it), 0));
        let least = if loss == 0 { 168 } else { 140 };
        assert!(frames.len() >= least, "{} of 182", frames.len());
        let steps = frames.windows(2);
        let steps = steps.map(|it| it[1].timestamp.wrapping_sub(it[0].timestamp) / 90);
        let longest = steps.max().unwrap();
        assert!(longest < if loss == 0 { 300 } else { 1500 }, "{longest} ms");
        let numbers: Vec<_> = frames.iter().map(|it| it.payload[11]).collect();
        assert!(numbers.windows(2).all(|it| it[1] > it[0]), "{numbers:?}");
    });
}
