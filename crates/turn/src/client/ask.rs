//! Requests, as they are written.

use std::{net::SocketAddr, time::Instant};

use oxirtc_stun::{AddressFamily, Attribute, Builder, Class, Schedule, Transaction, TransactionId};

use super::Client;
use crate::{
    Families, Leg,
    auth::Signed,
    request::{Pending, Purpose},
};

impl Client {
    /// Sends a request; `signed` says how, when it is sent once more.
    pub(super) fn ask(&mut self, now: Instant, purpose: Purpose, signed: Option<Signed>) {
        let signed = signed.unwrap_or_else(|| self.auth.sign());
        let id = TransactionId::generate(&mut self.random);
        let mut request = Vec::new();
        let mut builder = Builder::new(&mut request, Class::Request, purpose.method(), id);
        self.describe(&mut builder, &purpose);
        self.auth.write(&mut builder, &self.config.credentials);
        builder.fingerprint();
        let built = builder.finish().is_ok();
        let schedule = match self.config.leg {
            Leg::Stream => Schedule::reliable(),
            Leg::Datagrams => {
                let schedule = Schedule::unreliable(self.round_trip.rto(now));
                match purpose {
                    // Who is not there is not waited for: five requests in 9.5 s.
                    Purpose::Allocate => schedule.with_max_requests(5).with_last_wait(4),
                    Purpose::Close => schedule.with_max_requests(3).with_last_wait(2),
                    _ => schedule,
                }
            }
        };
        match Transaction::new(request, schedule, now) {
            Ok(transaction) if built => self.pending.push(Pending {
                transaction,
                purpose,
                signed,
            }),
            // Credentials that no message can hold.
            _ => self.refused(now, purpose, 400, "the request cannot be written"),
        }
    }

    fn describe(&self, builder: &mut Builder<'_>, purpose: &Purpose) {
        match purpose {
            Purpose::Allocate => {
                builder.add(Attribute::RequestedTransport(UDP));
                match self.config.families {
                    Families::Ipv4 => {}
                    Families::Ipv6 => {
                        builder.add(Attribute::RequestedAddressFamily(AddressFamily::Ipv6));
                    }
                    Families::Both => {
                        builder.add(Attribute::AdditionalAddressFamily(AddressFamily::Ipv6));
                    }
                }
                builder.add(Attribute::Lifetime(self.config.lifetime));
            }
            Purpose::Refresh => {
                builder.add(Attribute::Lifetime(self.config.lifetime));
            }
            Purpose::Close => {
                builder.add(Attribute::Lifetime(0));
            }
            Purpose::Permit(ips) => {
                for ip in ips {
                    builder.add(Attribute::XorPeerAddress(SocketAddr::new(*ip, 0)));
                }
            }
            Purpose::Bind { number, peer } => {
                builder.add(Attribute::ChannelNumber(*number));
                builder.add(Attribute::XorPeerAddress(*peer));
            }
        }
    }
}

/// The number of UDP among the protocols of IP, for REQUESTED-TRANSPORT.
const UDP: u8 = 17;
