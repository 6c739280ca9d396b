//! The laboratory: namespaces for two hosts, and for the routers before them, around one bridge that stands for the Internet.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context as _, ensure};

use crate::interop::namespace::call;

/// What stands between a host and the Internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing: its address is public.
    Open,
    /// A NAT with one public port a socket, where anybody may send to.
    FullCone,
    /// The same, where only addresses that were sent to may answer.
    Restricted,
    /// The same, where only addresses and ports that were sent to may answer.
    PortRestricted,
    /// A NAT with another public port for each destination, which alone may answer.
    Symmetric,
    /// A port-restricted NAT that lets no UDP through.
    Blocked,
}

/// The namespaces of one test. They go with this value.
#[derive(Debug, Default)]
pub(in crate::interop) struct Laboratory {
    namespaces: Vec<String>,
}

/// A side of the laboratory: its addresses are numbered by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left = 1,
    Right = 2,
    /// What the host on the left has beside its first way.
    Beside = 3,
}

impl Laboratory {
    /// Two hosts, each behind a router of its own.
    pub(super) fn apart(left: Kind, right: Kind) -> anyhow::Result<Self> {
        let mut lab = Self::default();
        for (side, kind) in [(Side::Left, left), (Side::Right, right)] {
            lab.add_namespace(side.host())?;
            lab.connect(side, kind)?;
        }
        Ok(lab)
    }

    /// Two hosts in two networks behind one router, which passes nothing from one to the other but, with `hairpin`, what is sent
    /// to the public address of a port.
    pub(super) fn together(hairpin: bool) -> anyhow::Result<Self> {
        let mut lab = Self::default();
        let router = Side::Left.router();
        lab.add_namespace(router)?;
        lab.uplink(router, "wan", Side::Left.public())?;
        for side in [Side::Left, Side::Right] {
            lab.add_namespace(side.host())?;
            lan(side, router, "eth0")?;
        }
        let rules = match hairpin {
            true => rules_of_hairpin(),
            false => rules(Kind::PortRestricted),
        };
        forward(router, &rules)?;
        Ok(lab)
    }

    /// Two hosts on one link, which have no other addresses than those of IPv6 for it.
    pub(super) fn on_one_link() -> anyhow::Result<Self> {
        let mut lab = Self::default();
        let hosts = [Side::Left, Side::Right].map(Side::host);
        for host in hosts {
            lab.add_namespace(host)?;
        }
        let [left, right] = hosts;
        ip(&format!(
            "-n {left} link add eth0 type veth peer name eth0 netns {right}"
        ))?;
        for (number, host) in (1..).zip(hosts) {
            // The system's own would be looked for at others for two seconds.
            ip(&format!("-n {host} link set eth0 addrgenmode none up"))?;
            ip(&format!(
                "-n {host} addr add fe80::{number}/64 dev eth0 nodad"
            ))?;
        }
        Ok(lab)
    }

    /// Gives the host on the left another way out, by a link `eth1` and a router of its own.
    pub(super) fn add_way(&mut self, kind: Kind) -> anyhow::Result<()> {
        self.connect(Side::Beside, kind)
    }

    /// What the host on the left sends from its second address leaves by its second way, also while the first one is there: as phones
    /// and hosts of several providers have it.
    pub(super) fn route_by_source(&self) -> anyhow::Result<()> {
        let (host, number) = (Side::Beside.host(), Side::Beside as u8);
        let (link, address) = (Side::Beside.link(), Side::Beside.private());
        ip(&format!(
            "-n {host} route add default via 192.168.{number}.1 dev {link} table {number}"
        ))?;
        ip(&format!(
            "-n {host} rule add from {address} lookup {number}"
        ))
    }

    fn connect(&mut self, side: Side, kind: Kind) -> anyhow::Result<()> {
        let (host, link) = (side.host(), side.link());
        if kind == Kind::Open {
            self.uplink(host, link, &side.open())?;
            return ip(&format!("-n {host} route add default via {INTERNET}"));
        }
        let router = side.router();
        self.add_namespace(router)?;
        self.uplink(router, "wan", side.public())?;
        lan(side, router, link)?;
        forward(router, &rules(kind))
    }

    /// Joins a namespace to the Internet.
    pub(in crate::interop) fn uplink(
        &self,
        namespace: &str,
        link: &str,
        address: &str,
    ) -> anyhow::Result<()> {
        // The end of the one before may still be on its way out: no name is used twice.
        static SERIAL: AtomicUsize = AtomicUsize::new(0);
        let port = format!("port{}", SERIAL.fetch_add(1, Ordering::Relaxed));
        ip(&format!(
            "link add {port} type veth peer name {link} netns {namespace}"
        ))?;
        ip(&format!("link set {port} master br0 up"))?;
        ip(&format!("-n {namespace} addr add {address}/24 dev {link}"))?;
        ip(&format!("-n {namespace} link set {link} up"))
    }

    pub(in crate::interop) fn add_namespace(&mut self, name: &str) -> anyhow::Result<()> {
        ip(&format!("netns add {name}"))?;
        self.namespaces.push(name.to_owned());
        ip(&format!("-n {name} link set lo up"))
    }
}

impl Drop for Laboratory {
    fn drop(&mut self) {
        for name in &self.namespaces {
            if let Err(error) = ip(&format!("netns delete {name}")) {
                println!("     a namespace stays behind: {error:#}");
            }
        }
    }
}

impl Kind {
    pub(super) const ALL: [Self; 6] = [
        Self::Open,
        Self::FullCone,
        Self::Restricted,
        Self::PortRestricted,
        Self::Symmetric,
        Self::Blocked,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::FullCone => "full_cone",
            Self::Restricted => "restricted",
            Self::PortRestricted => "port_restricted",
            Self::Symmetric => "symmetric",
            Self::Blocked => "blocked",
        }
    }
}

impl Side {
    /// The namespace of its host.
    pub(super) fn host(self) -> &'static str {
        match self {
            Self::Left | Self::Beside => "left",
            Self::Right => "right",
        }
    }

    /// The namespace of its router.
    pub(super) fn router(self) -> &'static str {
        match self {
            Self::Left => "left-router",
            Self::Right => "right-router",
            Self::Beside => "beside-router",
        }
    }

    /// The link of the host.
    pub(super) fn link(self) -> &'static str {
        match self {
            Self::Left | Self::Right => "eth0",
            Self::Beside => "eth1",
        }
    }

    /// The public address of its router.
    pub(super) fn public(self) -> &'static str {
        match self {
            Self::Left => "10.77.0.11",
            Self::Right => "10.77.0.12",
            Self::Beside => "10.77.0.13",
        }
    }

    /// The host's address without a router.
    pub(super) fn open(self) -> String {
        format!("10.77.0.{}", 20 + self as u8)
    }

    /// The host's address behind a router.
    pub(super) fn private(self) -> String {
        format!("192.168.{}.2", self as u8)
    }
}

/// Joins a host to its router, which is the way to everywhere.
fn lan(side: Side, router: &str, link: &str) -> anyhow::Result<()> {
    let (host, number) = (side.host(), side as u8);
    ip(&format!(
        "-n {router} link add lan{number} type veth peer name {link} netns {host}"
    ))?;
    ip(&format!(
        "-n {router} addr add 192.168.{number}.1/24 dev lan{number}"
    ))?;
    ip(&format!("-n {router} link set lan{number} up"))?;
    ip(&format!(
        "-n {host} addr add {}/24 dev {link}",
        side.private()
    ))?;
    ip(&format!("-n {host} link set {link} up"))?;
    // The first way comes before another one.
    ip(&format!(
        "-n {host} route add default via 192.168.{number}.1 metric {number}"
    ))
}

/// Makes a router of a namespace.
fn forward(router: &str, rules: &str) -> anyhow::Result<()> {
    let on = "echo 1 > /proc/sys/net/ipv4/ip_forward";
    call("ip", &["netns", "exec", router, "sh", "-c", on])?;
    let mut nft = Command::new("ip")
        .args(["netns", "exec", router, "nft", "-f", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .context("nft did not start")?;
    let mut input = nft.stdin.take().context("no input of nft")?;
    input.write_all(rules.as_bytes())?;
    drop(input);
    let status = nft.wait()?;
    ensure!(status.success(), "nft refuses the rules ({status})");
    Ok(())
}

/// What a router of this kind does. The system keeps a port where it is free: its plain masquerading is port-restricted. What nobody
/// asked for is dropped before it is taken for a connection of the router itself, whose port the next mapping could not have.
fn rules(kind: Kind) -> String {
    let random = match kind {
        Kind::Symmetric => " random,fully-random",
        _ => "",
    };
    let (out, back) = match kind {
        Kind::FullCone => (REMEMBER_PORT, "iifname wan dnat ip to udp dport map @ports"),
        Kind::Restricted => (
            "oifname wan meta l4proto udp add @ports { udp sport : ip saddr } add @known { ip daddr }",
            "iifname wan ip saddr @known dnat ip to udp dport map @ports",
        ),
        _ => ("", ""),
    };
    let no_udp = match kind {
        Kind::Blocked => "meta l4proto udp drop",
        _ => "",
    };
    table(
        no_udp,
        &format!("{out}\n oifname wan masquerade{random}"),
        back,
    )
}

/// A full cone whose public ports are reached from inside as well.
fn rules_of_hairpin() -> String {
    let public = Side::Left.public();
    table(
        "",
        &format!(
            "{REMEMBER_PORT}\n oifname wan masquerade\n \
             oifname \"lan*\" meta l4proto udp ct status dnat add @ports {{ udp sport : ip saddr }} snat to {public}"
        ),
        &format!("ip daddr {public} dnat ip to udp dport map @ports"),
    )
}

fn table(first: &str, out: &str, back: &str) -> String {
    format!(
        "table ip laboratory {{
 map ports {{ type inet_service : ipv4_addr; flags dynamic,timeout; timeout 5m; }}
 set known {{ type ipv4_addr; flags dynamic,timeout; timeout 5m; }}
 chain input {{ type filter hook input priority 0; policy accept;
 iifname wan meta l4proto {{ tcp, udp }} drop
 }}
 chain forward {{ type filter hook forward priority 0; policy drop;
 {first}
 ct state established,related accept
 ct status dnat accept
 iifname \"lan*\" oifname wan accept
 }}
 chain back {{ type nat hook prerouting priority -100; policy accept;
 {back}
 }}
 chain out {{ type nat hook postrouting priority 100; policy accept;
 {out}
 }}
}}
"
    )
}

/// `ip` with these arguments.
pub(in crate::interop) fn ip(arguments: &str) -> anyhow::Result<()> {
    call("ip", &arguments.split(' ').collect::<Vec<_>>())
}

/// Where the server is, for all.
const INTERNET: &str = "10.77.0.1";
const REMEMBER_PORT: &str = "oifname wan meta l4proto udp add @ports { udp sport : ip saddr }";
