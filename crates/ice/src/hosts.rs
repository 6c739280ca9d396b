//! Which addresses of this machine become candidates, and in which order.

use std::{collections::VecDeque, net::IpAddr};

use crate::{Config, Interface, IpHandling, base::Host, candidate::is_link_local};

/// The addresses to gather on, best first.
pub(crate) fn usable(interfaces: &[Interface], config: &Config) -> Vec<Host> {
    let mut chosen: Vec<(IpAddr, u32)> = Vec::new();
    let mut choose = |loopback: bool, link_local: bool| {
        for interface in interfaces {
            let ip = interface.address.to_canonical();
            let family = if ip.is_ipv4() {
                config.ipv4
            } else {
                config.ipv6
            };
            let asked = (loopback || !ip.is_loopback()) && (link_local || !is_link_local(ip));
            let allowed = match config.ip_handling {
                IpHandling::EnumerateAll => true,
                IpHandling::DefaultRouteAndLocal => interfaces
                    .iter()
                    .any(|it| it.default_route && is_one(it, interface)),
                IpHandling::DefaultRouteOnly | IpHandling::ForceProxy => interface.default_route,
            };
            let real = !ip.is_unspecified() && !ip.is_multicast();
            let known = chosen.iter().any(|(other, _)| *other == ip);
            if family && allowed && asked && real && !known && chosen.len() < MAX_HOSTS {
                let scope = if ip.is_ipv6() && is_link_local(ip) {
                    interface.index
                } else {
                    0
                };
                chosen.push((ip, scope));
            }
        }
        chosen.is_empty()
    };
    if choose(config.loopback, config.link_local) {
        choose(true, true);
    }
    interleave(chosen)
}

/// Whether two addresses are of one interface.
fn is_one(one: &Interface, other: &Interface) -> bool {
    (one.index, &one.name) == (other.index, &other.name)
}

/// RFC 8421 §4: IPv6 first, then the families in turn and in proportion, so that a family that does
/// not work costs little; one preference each, from the highest down.
fn interleave(addresses: Vec<(IpAddr, u32)>) -> Vec<Host> {
    let (mut v6, mut v4): (VecDeque<_>, VecDeque<_>) =
        addresses.into_iter().partition(|(ip, _)| ip.is_ipv6());
    // Addresses that reach no further than the link or the machine come last in their family.
    for family in [&mut v6, &mut v4] {
        family
            .make_contiguous()
            .sort_by_key(|(ip, _)| (ip.is_loopback(), is_link_local(*ip)));
    }
    let run = (v4.len() + v6.len())
        .checked_div(v4.len())
        .unwrap_or(usize::MAX);
    let mut ordered = Vec::new();
    while !(v4.is_empty() && v6.is_empty()) {
        let take = run
            .saturating_sub(usize::from(!ordered.is_empty()))
            .clamp(1, v6.len().max(1));
        ordered.extend(v6.drain(..take.min(v6.len())));
        ordered.extend(v4.pop_front());
    }
    let preferences = (0..=u16::MAX).rev();
    ordered
        .into_iter()
        .zip(preferences)
        .map(|((address, scope), preference)| Host {
            address,
            scope,
            preference,
        })
        .collect()
}

/// Addresses of one machine that are used at most: container hosts have hundreds.
pub(crate) const MAX_HOSTS: usize = 32;
