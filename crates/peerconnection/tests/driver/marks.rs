//! Marks in the IP header, as a socket of the kernel sees them.
#![cfg(target_os = "linux")]

use std::{
    fmt,
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt,
    sockopt::{IpRecvTos, Ipv6RecvTClass},
};
use oxirtc_peerconnection::{
    Configuration, DataChannelInit, Endpoint, Message, PeerConnection, Priority,
    driver::{self, Batch, Outgoing, Received, Socket},
    engine::{Interface, Settings},
};
use tokio::io::Interest;

use crate::pair::{Pair, within};

/// The eight bits beside a datagram, and the datagram.
fn receive(socket: &impl AsRawFd, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr, u8)> {
    let mut slices = [IoSliceMut::new(buffer)];
    let mut space = nix::cmsg_space!([i32; 4]);
    let flags = MsgFlags::MSG_DONTWAIT;
    let got = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(&mut space), flags)?;
    let class = got.cmsgs()?.find_map(|it| match it {
        ControlMessageOwned::Ipv4Tos(tos) => Some(tos),
        ControlMessageOwned::Ipv6TClass(class) => u8::try_from(class).ok(),
        _ => None,
    });
    let from = got.address.unwrap();
    let from = match (from.as_sockaddr_in(), from.as_sockaddr_in6()) {
        (Some(it), _) => SocketAddr::V4((*it).into()),
        (_, Some(it)) => SocketAddr::V6((*it).into()),
        _ => unreachable!("it is a socket of IP"),
    };
    Ok((got.bytes, from, class.unwrap()))
}

/// The mark and the ECN bits arrive as they were given, over both versions of IP, in segments and from a named source.
#[tokio::test]
async fn the_kernel_sends_what_is_marked() {
    for (host, any, other) in [("127.0.0.1", "0.0.0.0", "127.0.0.2"), ("::1", "::", "::1")] {
        let [host, any, other] = [host, any, other].map(|it| it.parse::<IpAddr>().unwrap());
        let there = UdpSocket::bind((host, 0)).unwrap();
        match host.is_ipv4() {
            true => setsockopt(&there, IpRecvTos, &true).unwrap(),
            false => setsockopt(&there, Ipv6RecvTClass, &true).unwrap(),
        }
        let here = driver::UdpSocket::bind((any, 0).into(), 100_000).unwrap();
        std::future::poll_fn(|context| here.poll_writable(context))
            .await
            .unwrap();
        let contents: Vec<u8> = (0..250).collect();
        let plain = Outgoing {
            destination: there.local_addr().unwrap(),
            source: None,
            ecn: 0,
            dscp: 0,
            segment: 250,
            contents: &contents,
        };
        let cases = [
            plain,
            Outgoing { dscp: 46, ..plain },
            Outgoing {
                dscp: 34,
                ecn: 1,
                segment: 100,
                source: Some(other),
                ..plain
            },
            Outgoing { ecn: 2, ..plain },
        ];
        for outgoing in cases {
            here.try_send(&outgoing).unwrap();
            for expected in contents.chunks(outgoing.segment) {
                let mut buffer = [0; 300];
                let (length, from, class) = receive(&there, &mut buffer).unwrap();
                assert_eq!(&buffer[..length], expected);
                let source = outgoing.source.unwrap_or(host);
                assert_eq!(from, (source, here.local_address().port()).into());
                assert_eq!(class, (outgoing.dscp << 2) | outgoing.ecn, "{outgoing:?}");
            }
        }
    }
}

/// A socket that writes down how what it receives is marked, by the first byte of the datagram.
struct Witness {
    io: tokio::net::UdpSocket,
    sends: Arc<dyn Socket>,
    seen: Arc<Mutex<Vec<(u8, u8)>>>,
}

impl Witness {
    fn bind(seen: &Arc<Mutex<Vec<(u8, u8)>>>) -> Arc<dyn Socket> {
        let io = UdpSocket::bind("127.0.0.1:0").unwrap();
        io.set_nonblocking(true).unwrap();
        setsockopt(&io, IpRecvTos, &true).unwrap();
        let io = tokio::net::UdpSocket::from_std(io).unwrap();
        let sends = driver::UdpSocket::bind("127.0.0.1:0".parse().unwrap(), 100_000).unwrap();
        Arc::new(Self {
            io,
            sends,
            seen: seen.clone(),
        })
    }
}

impl Socket for Witness {
    fn local_address(&self) -> SocketAddr {
        self.io.local_addr().unwrap()
    }

    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_recv_ready(context)
    }

    fn try_receive(&self, batch: &mut Batch) -> io::Result<usize> {
        let mut buffer = [0; 2000];
        let read = || receive(&self.io, &mut buffer);
        let (length, source, class) = self.io.try_io(Interest::READABLE, read)?;
        self.seen.lock().unwrap().push((buffer[0], class >> 2));
        let segment = length.max(1);
        let received = Received {
            source,
            destination: None,
            length,
            segment,
            ecn: class & 3,
        };
        batch.fill(received, &buffer[..length]);
        Ok(1)
    }

    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_send_ready(context)
    }

    fn try_send(&self, outgoing: &Outgoing<'_>) -> io::Result<()> {
        let send = || self.io.try_send_to(outgoing.contents, outgoing.destination);
        send().map(drop)
    }

    fn max_segments(&self) -> usize {
        1
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Witness({:?})", self.sends)
    }
}

/// What the peer of a connection sees of its marks: STUN, DTLS and data.
async fn marks_of(settings: Settings, priority: Priority) -> Vec<(u8, u8)> {
    let seen = Arc::default();
    let socket = Witness::bind(&seen);
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
    let settings = settings.loopback(true);
    let near = PeerConnection::with_settings(Configuration::default(), settings).unwrap();
    let init = DataChannelInit {
        priority,
        ..DataChannelInit::default()
    };
    let pair = Pair::connect(near, far, init).await;
    let message = Message::from(vec![1; 100_000]);
    within(pair.near_channel.send(message.clone()))
        .await
        .unwrap();
    assert_eq!(within(pair.far_channel.recv()).await, Some(message));
    let seen = seen.lock().unwrap();
    seen.clone()
}

/// RFC 8837 §5, RFC 8445 §7.2.3: data, and the checks that its path is chosen by, carry the mark of its priority over the network; nothing does
/// without the setting, and nothing of the priority that everything has by default.
#[tokio::test]
async fn data_and_its_checks_carry_the_mark_of_its_priority() {
    let on = || Settings::default().dscp(true);
    for (settings, priority, dscp) in [
        (on(), Priority::High, 18),
        (on(), Priority::VeryLow, 1),
        (on(), Priority::Low, 0),
        (Settings::default(), Priority::High, 0),
    ] {
        let seen = marks_of(settings, priority).await;
        let stun = seen.iter().filter(|it| it.0 < 4);
        let payload = seen.iter().filter(|it| (20..64).contains(&it.0));
        assert!(stun.count() > 0 && payload.clone().count() > 80);
        let unmarked = seen.iter().filter(|it| it.1 != dscp).count();
        assert!(unmarked == 0, "{priority:?}: {unmarked} of {}", seen.len());
    }
}
