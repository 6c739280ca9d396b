//! `oxirtc gather` with servers that answer: what it prints of each candidate.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr, UdpSocket},
    thread,
    time::Instant,
};

use server::{Out, Server, ip};
use serving::oxirtc;

#[path = "../../turn/tests/server/mod.rs"]
mod server;
#[expect(dead_code, reason = "other tests use the rest")]
mod serving;

/// Addresses of this machine that a candidate is gathered on.
fn ours() -> Vec<IpAddr> {
    let all = if_addrs::get_if_addrs().unwrap().into_iter();
    let usable = all.filter(|it| it.is_oper_up() && !it.is_loopback() && !it.is_link_local());
    let ours: Vec<_> = usable.map(|it| it.ip()).filter(IpAddr::is_ipv4).collect();
    // Loopback counts where there is nothing else.
    if ours.is_empty() {
        vec![ip("127.0.0.1")]
    } else {
        ours
    }
}

/// A server on a thread of its own, to the end of the test. It sees everybody behind a NAT.
fn serve(change: impl FnOnce(&mut Server)) -> SocketAddr {
    let socket = UdpSocket::bind((ours()[0], 0)).unwrap();
    let mut server = Server::new();
    server.sees = ours().into_iter().map(|it| (it, ip(OUTSIDE))).collect();
    change(&mut server);
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 2000];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            #[expect(
                clippy::disallowed_methods,
                reason = "this server runs on the system's clock"
            )]
            let answers = server.handle(Instant::now(), from, &buffer[..length]);
            for answer in answers {
                if let Out::Client(bytes) = answer {
                    socket.send_to(&bytes, from).unwrap();
                }
            }
        }
    });
    address
}

/// The words of each line but the head, once the program has ended well.
fn lines(arguments: &[&str]) -> Vec<Vec<String>> {
    let program = oxirtc(&[&["gather"], arguments].concat());
    let output = program.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
    let lines: Vec<Vec<String>> = text.lines().map(words).collect();
    assert_eq!(lines[0], ["seconds", "type", "address", "server"]);
    let times = lines[1..].iter().map(|it| it[0].parse::<f64>().unwrap());
    assert!(times.is_sorted(), "{text}");
    assert_eq!(lines.last().unwrap()[1..], ["done"]);
    lines[1..lines.len() - 1].to_vec()
}

#[test]
fn each_kind_of_candidate_has_its_line() {
    let good = serve(|_| {});
    let other = serve(|server| server.password = "another".into());
    let [stun, turn, refusing] = [
        format!("stun:{good}"),
        format!("turn:{good}"),
        format!("turn:{other}"),
    ];
    let credentials = ["--username", "alice", "--credential", "secret"];
    let servers = ["--server", &stun, "--server", &turn, "--server", &refusing];
    let found = lines(&[&servers[..], &credentials].concat());
    let of = |kind: &'static str| found.iter().filter(move |it| it[1] == kind);
    let address = |line: &Vec<String>| line[3].parse::<SocketAddr>().unwrap();
    assert!(of("host").all(|it| it.len() == 4), "{found:?}");
    let hosts: Vec<_> = of("host").map(|it| address(it).ip()).collect();
    assert!(ours().iter().all(|it| hosts.contains(it)), "{found:?}");
    let mapped: Vec<_> = of("srflx").collect();
    assert!(!mapped.is_empty(), "{found:?}");
    for line in mapped {
        assert_eq!(address(line).ip(), ip(OUTSIDE));
        assert_eq!(
            (line[2].as_str(), line[4..].join(" ")),
            ("udp", stun.clone())
        );
    }
    let relays: BTreeSet<_> = of("relay").map(|line| address(line).ip()).collect();
    assert_eq!(relays, ["198.51.100.1", "2001:db8::1"].map(ip).into());
    for line in of("relay") {
        assert_eq!(
            (line[2].as_str(), line[4..].join(" ")),
            ("udp", format!("{turn} over udp"))
        );
    }
    let refused: Vec<_> = of("error").collect();
    assert!(!refused.is_empty(), "{found:?}");
    for line in refused {
        assert_eq!(line[2], "401", "{line:?}");
        assert!(
            line.iter().any(|it| *it == format!("{refusing}:")),
            "{line:?}"
        );
    }
}

/// With `--relay` nothing of this machine is printed.
#[test]
fn a_relay_alone_shows_no_address() {
    let turn = format!("turn:{}", serve(|_| {}));
    let credentials = ["--username", "alice", "--credential", "secret"];
    let found = lines(&[&["--relay", "--server", &turn][..], &credentials].concat());
    assert!(!found.is_empty());
    assert!(found.iter().all(|it| it[1] == "relay"), "{found:?}");
}

const OUTSIDE: &str = "203.0.113.9";
