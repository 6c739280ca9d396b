//! Two engines find each other and move messages.

mod pair;

use std::time::Duration;

use oxirtc_netsim::{Link, ms, percent};
use oxirtc_peerconnection::{Configuration, DataChannelInit, IceRole, Message, Settings};
use pair::Pair;

#[test]
fn two_engines_connect_and_talk() {
    let (mut pair, [here, there]) =
        Pair::connected(1, Link::new(1).delay(ms(10)), &DataChannelInit::default());
    pair.send(0, here, "hello");
    pair.send(1, there, vec![1, 2, 3]);
    pair.send(0, here, "");
    pair.send(1, there, Vec::new());
    pair.until(Duration::from_secs(2), |pair| {
        pair.ends[0].inbox.len() == 2 && pair.ends[1].inbox.len() == 2
    });
    let text = |text: &str| Message::from(text);
    assert_eq!(pair.ends[1].messages(there), [&text("hello"), &text("")]);
    assert_eq!(
        pair.ends[0].messages(here),
        [&vec![1, 2, 3].into(), &Vec::new().into()]
    );
    assert!(pair.ends.iter().all(pair::End::is_connected));
}

#[test]
fn they_connect_over_a_bad_link() {
    let link = Link::new(1)
        .delay(ms(50))
        .loss(percent(20))
        .duplicate(percent(10));
    let (mut pair, [here, there]) = Pair::connected(7, link, &DataChannelInit::default());
    for index in 0..100_u32 {
        pair.send(0, here, index.to_string());
    }
    pair.until(Duration::from_secs(60), |pair| {
        pair.ends[1].inbox.len() == 100
    });
    for (index, message) in pair.ends[1].messages(there).into_iter().enumerate() {
        assert_eq!(message.as_text(), Some(&*index.to_string()));
    }
}

/// RFC 8445 §2.5: a lite server says so, the peer controls whoever offers, and messages go both ways.
#[test]
fn a_lite_server_is_reached() {
    for server in [0, 1] {
        let lite = |side| Settings::default().ice_lite(side == server);
        let configurations = [(); 2].map(|()| Configuration::default());
        let link = Link::new(3).delay(ms(10));
        let mut pair = Pair::with_each(3, link, configurations, [lite(0), lite(1)]);
        let [here, there] = pair.connect(&DataChannelInit::default());
        pair.send(0, here, "hello");
        pair.send(1, there, "back");
        pair.until(Duration::from_secs(5), |pair| {
            pair.ends.iter().all(|end| end.inbox.len() == 1)
        });
        let roles = pair.ends.iter().map(|end| {
            let view = end.engine.transports().next().unwrap();
            view.ice_role()
        });
        let mut expected = [IceRole::Controlling; 2];
        expected[server] = IceRole::Controlled;
        assert_eq!(roles.collect::<Vec<_>>(), expected);
        let described = |side: usize| {
            let sdp = pair.ends[side].engine.local_description().unwrap().sdp;
            sdp.contains("a=ice-lite\r\n")
        };
        assert!(described(server) && !described(1 - server));
    }
}
