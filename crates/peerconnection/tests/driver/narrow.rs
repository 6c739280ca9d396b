//! A link that carries less than others, as the system says.

use std::{
    io,
    sync::{Arc, Mutex},
};

use oxirtc_peerconnection::{
    Configuration, DataChannelInit, Endpoint, Message, PeerConnection,
    driver::Outgoing,
    engine::{Interface, Settings},
};

use crate::{
    pair::{Pair, within},
    ruled::Ruled,
};

/// How long datagrams are on a link of so few bytes.
#[derive(Debug, Default)]
struct Seen {
    refused: Vec<usize>,
    longest: usize,
    /// What is too long finds no room first, each time.
    full: bool,
    blocked: usize,
}

impl Seen {
    fn weigh(&mut self, length: usize) -> io::Result<()> {
        if length > CARRIED {
            if self.full && self.blocked <= self.refused.len() {
                self.blocked += 1;
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.refused.push(length);
            return Err(io::Error::from_raw_os_error(EMSGSIZE));
        }
        self.longest = self.longest.max(length);
        Ok(())
    }
}

/// A probe that the system refuses is lost at once: none is sent twice, and what the link carries is found in the first moments.
#[tokio::test]
async fn what_the_system_refuses_is_known_at_once() {
    refuses(Seen::default()).await;
}

/// Also what has waited for room in the socket.
#[tokio::test]
async fn what_waited_is_refused_all_the_same() {
    let seen = Seen {
        full: true,
        ..Seen::default()
    };
    refuses(seen).await;
}

async fn refuses(seen: Seen) {
    let seen = Arc::new(Mutex::new(seen));
    let noted = seen.clone();
    let weigh = move |_, outgoing: &Outgoing<'_>| {
        let length = outgoing.contents.len();
        noted.lock().unwrap().weigh(length)
    };
    let socket = Ruled::bind([127, 0, 0, 1], weigh);
    let interface = Interface {
        name: "lo".into(),
        index: 1,
        address: socket.local_address().ip(),
        default_route: true,
        cost: 0,
    };
    let endpoint = Endpoint::with_sockets(vec![socket]).unwrap();
    let endpoint = endpoint.with_interfaces(vec![interface]);
    let far = endpoint.peer_connection(Configuration::default()).unwrap();
    let settings = Settings::default().loopback(true);
    let near = PeerConnection::with_settings(Configuration::default(), settings).unwrap();
    let pair = Pair::connect(near, far, DataChannelInit::default()).await;
    for _ in 0..20 {
        let message = Message::from(vec![1; 200_000]);
        within(pair.far_channel.send(message.clone()))
            .await
            .unwrap();
        assert_eq!(within(pair.near_channel.recv()).await, Some(message));
    }
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    let mut once = seen.refused.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), seen.refused.len(), "{seen:?}");
    assert!(!once.is_empty() && seen.longest > CARRIED - 20, "{seen:?}");
    assert_eq!(seen.blocked, if seen.full { once.len() } else { 0 });
}

const CARRIED: usize = 1300;
const EMSGSIZE: i32 = if cfg!(target_os = "linux") { 90 } else { 40 };
