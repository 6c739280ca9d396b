//! An allocation: its addresses and its life (RFC 8656 §7, §8).

use std::time::{Duration, Instant};

use oxirtc_stun::{Attribute, AttributeType, Message};

use crate::{
    address::{canonical, is_believable},
    config::{Config, Families},
    event::Relayed,
};

/// What a server has given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allocation {
    pub(crate) relayed: Relayed,
    pub(crate) refresh: Instant,
    pub(crate) expires: Instant,
}

impl Allocation {
    /// Reads a success response to Allocate; what is wrong with it otherwise.
    pub(crate) fn read(
        now: Instant,
        config: &Config,
        response: &Message<'_>,
    ) -> Result<Self, &'static str> {
        let mapped = response.xor_mapped_address();
        let mapped = mapped.ok_or("the server does not say how it sees us")?;
        let lifetime = response.lifetime();
        let lifetime = lifetime.ok_or("the server does not say for how long")?;
        let mut relayed = Relayed {
            ipv4: None,
            ipv6: None,
            mapped: canonical(mapped),
        };
        let id = response.transaction_id();
        let addresses = response
            .attributes()
            .filter(|it| it.kind == AttributeType::XOR_RELAYED_ADDRESS);
        for attribute in addresses {
            let Ok(Attribute::XorRelayedAddress(address)) = attribute.parse(id) else {
                continue;
            };
            let address = canonical(address);
            if !is_believable(address, config.loopback) {
                return Err("the relayed address is none that a peer could send to");
            }
            let slot = if address.is_ipv4() {
                &mut relayed.ipv4
            } else {
                &mut relayed.ipv6
            };
            slot.get_or_insert(address);
        }
        let (v4, v6) = (relayed.ipv4.is_some(), relayed.ipv6.is_some());
        let fits = match config.families {
            Families::Ipv4 => v4 && !v6,
            Families::Ipv6 => v6 && !v4,
            Families::Both => v4 || v6,
        };
        if !fits {
            return Err("the relayed address is of another family than was asked for");
        }
        let mut allocation = Self {
            relayed,
            refresh: now,
            expires: now,
        };
        allocation.renew(now, lifetime);
        Ok(allocation)
    }

    /// The server has granted so many seconds from now on.
    pub(crate) fn renew(&mut self, now: Instant, lifetime: u32) {
        let lifetime = Duration::from_secs(lifetime.min(MAX_LIFETIME).into());
        self.expires = now + lifetime;
        // RFC 8656 §8: about a minute before its end; half-way when it is short.
        self.refresh = now + lifetime.saturating_sub(MARGIN).max(lifetime / 2);
    }
}

const MARGIN: Duration = Duration::from_secs(60);
/// What is longer is refreshed all the same, as a server may be restarted meanwhile.
const MAX_LIFETIME: u32 = 3600;
