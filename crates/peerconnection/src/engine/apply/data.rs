//! SCTP: where it runs, its ports and limits.

use std::time::Instant;

use oxirtc_jsep as jsep;

use crate::engine::Engine;

impl Engine {
    pub(super) fn set_sctp(&mut self, now: Instant, sctp: jsep::Sctp) {
        match sctp {
            jsep::Sctp::Created { transport } => {
                if let Some(id) = self.transports.named(transport).map(|it| it.id) {
                    let seed = self.next_sctp_seed();
                    self.data.create(id, seed);
                }
            }
            jsep::Sctp::Negotiated {
                transport,
                local_port,
                remote_port,
                max_message_size,
                remote_init,
                ..
            } => {
                let ports = (local_port, remote_port);
                self.data.set_remote_init(remote_init.as_deref());
                self.negotiate_sctp(now, transport, ports, max_message_size);
            }
            jsep::Sctp::Closed => self.data.remove(now, &mut self.tasks),
            _ => {}
        }
    }

    fn negotiate_sctp(
        &mut self,
        now: Instant,
        name: jsep::TransportId,
        ports: (u16, u16),
        max_message_size: u64,
    ) {
        let Some(transport) = self.transports.named(name) else {
            return;
        };
        self.data
            .negotiate(now, transport.id, ports, max_message_size);
        // One that took another's place runs over a DTLS association whose role is known.
        if let Some(role) = transport.role {
            self.data.set_role(role);
        }
        if transport.is_secure() {
            self.data
                .connect(now, transport.round_trip(), transport.is_recent());
        }
    }

    fn next_sctp_seed(&mut self) -> [u8; 32] {
        self.negotiation.associations += 1;
        let number = FIRST_SCTP + self.negotiation.associations;
        self.equipment.seed.derive("sctp", number)
    }
}

/// Seeds of associations that DTLS has replaced count from 1, those of others from here.
const FIRST_SCTP: u32 = 1 << 16;
