//! DTLS: the role, and whom to expect.

use std::time::Instant;

use oxirtc_jsep as jsep;

use crate::{
    Error, ErrorDetail,
    engine::{Engine, convert},
};

impl Engine {
    pub(super) fn set_dtls(
        &mut self,
        now: Instant,
        name: jsep::TransportId,
        role: jsep::DtlsRole,
        fingerprints: &[jsep::Fingerprint],
    ) {
        let Some(id) = self.transports.named(name).map(|it| it.id) else {
            return;
        };
        // RFC 8842 §4: another association in the place of the one that was, and with it what runs
        // above it (RFC 8841 §10.4).
        if !self.negotiation.secured.insert(id) {
            self.renew_dtls(now, name);
        }
        let Some(transport) = self.transports.named(name) else {
            return;
        };
        let (role, parity) = convert::dtls_role(role);
        if transport.dtls.set_role(now, role).is_err() {
            // The peer opened DTLS, and then said in its answer that we are to.
            transport.dtls.close(now);
            let detail = ErrorDetail::DtlsFailure {
                received_alert: None,
                sent_alert: None,
            };
            let error = Error::with_detail(detail, "the peer took the wrong DTLS role");
            self.with_transport(name, |transport, up| transport.fail_dtls(error, up));
            return;
        }
        let fingerprints: Vec<_> = fingerprints.iter().map(convert::fingerprint).collect();
        // DTLS holds nothing for them: ICE hands it the first datagram when it knows the peer's credentials, which are of the same
        // description.
        transport
            .dtls
            .set_remote_fingerprints(now, &fingerprints, &mut |_| {});
        transport.start_dtls(now);
        transport.role = Some(parity);
        if self.data.is_on(id) {
            self.data.set_role(parity);
        }
    }

    /// RFC 9143 §7.3: the transport stays where another section names it. Chromium makes a new one, and begins DTLS anew.
    pub(super) fn expect_another(
        &mut self,
        now: Instant,
        name: jsep::TransportId,
        role: Option<jsep::DtlsRole>,
        fingerprints: &[jsep::Fingerprint],
    ) {
        let role = role.map(|it| convert::dtls_role(it).0);
        let fingerprints: Vec<_> = fingerprints.iter().map(convert::fingerprint).collect();
        self.negotiation.generation += 1;
        let generation = self.negotiation.generation;
        let Some(transport) = self.transports.named(name) else {
            return;
        };
        let (id, begun) = (transport.id, transport.expects_another());
        let agreed = (role, fingerprints.as_slice());
        transport.expect_another(&self.equipment, generation, agreed, now);
        if self.data.is_on(id) && !begun {
            let seed = self.equipment.seed.derive("sctp", generation);
            self.data.expect_another(Some(seed));
        }
    }

    fn renew_dtls(&mut self, now: Instant, name: jsep::TransportId) {
        self.negotiation.generation += 1;
        let generation = self.negotiation.generation;
        let Some(transport) = self.transports.named(name) else {
            return;
        };
        transport.renew_dtls(&self.equipment, generation, now);
        let id = transport.id;
        if self.data.is_on(id) {
            let seed = self.equipment.seed.derive("sctp", generation);
            self.data.renew(now, seed, &mut self.tasks);
        }
        // Nothing that was under the old keys can be sent any more.
        self.data.cut_off(id);
    }
}
