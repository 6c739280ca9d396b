//! The client's side: flight 5 of RFC 6347 §4.2.4.

use crate::{
    AlertDescription, Group, Role, SignatureScheme, Version,
    crypto::{
        group::KeyShare,
        key::{PublicKey, Signed},
        prf::MasterSecret,
    },
    handshake::{
        negotiate, proof,
        session::{Negotiated, Secrets, Session},
        signing::{self, Pending, Signing},
        v12::keys::{CLIENT_FINISHED, SERVER_FINISHED, check_finished},
        work::{Fault, Look, PeerCertificate, Refusal, Work},
    },
    message::{
        Certificate, CertificateRequest, CertificateVerify, ClientKeyExchange, Finished, Kind,
        Message, ServerKeyExchange,
    },
    outgoing::Ends,
};

/// The server's certificate and what its key has signed are weighed together, as anybody can show a certificate.
pub(in crate::handshake) struct ExpectCertificate {
    pub(super) negotiated: Negotiated,
}

pub(in crate::handshake) struct ExpectCertificateRequest {
    negotiated: Negotiated,
    server: ServerShare,
}

pub(in crate::handshake) struct ExpectServerHelloDone {
    negotiated: Negotiated,
    server: ServerShare,
    /// What we sign with; `None` where nobody asks who we are.
    scheme: Option<SignatureScheme>,
}

pub(in crate::handshake) struct ExpectFinished {
    negotiated: Negotiated,
    group: Group,
    master: MasterSecret,
    signed: Signed,
}

/// The end of the last flight.
struct LastFlight {
    negotiated: Negotiated,
    group: Group,
    master: MasterSecret,
    signed: Signed,
}

/// The last flight, but for its signature.
pub(in crate::handshake) struct SignedFlight {
    flight: LastFlight,
    scheme: SignatureScheme,
}

/// The server's half of the key agreement, and who signed it.
pub(in crate::handshake) struct SignedShare {
    certificate: PeerCertificate,
    share: ServerShare,
}

/// The server's half of the key agreement, signed.
struct ServerShare {
    group: Group,
    public: Vec<u8>,
    signed: Signed,
}

/// What follows the ServerHelloDone.
pub(super) enum Last {
    Said(Box<ExpectFinished>),
    Sign(Signing, Box<SignedFlight>),
}

impl ExpectCertificate {
    pub(super) fn weigh(
        &self,
        look: &Look<'_>,
        message: &Certificate<'_>,
    ) -> Result<SignedShare, Refusal> {
        if message.chain.is_empty() {
            return Err(Refusal::doubt(AlertDescription::DECODE_ERROR));
        }
        let second = Kind::ServerKeyExchange;
        let (_, exchange) = look.check_behind(1, second, ServerKeyExchange::parse)?;
        let certificate = look.check_certificate(&message.chain)?;
        let authentication = negotiate::authentication(certificate.key.key_type());
        if Some(authentication) != self.negotiated.suite.authentication() {
            return Err(Refusal::doubt(AlertDescription::ILLEGAL_PARAMETER));
        }
        let share = self.weigh_share(look, &certificate.key, &exchange);
        Ok(SignedShare {
            share: share.map_err(|refusal| refusal.behind(1))?,
            certificate,
        })
    }

    fn weigh_share(
        &self,
        look: &Look<'_>,
        key: &PublicKey,
        exchange: &ServerKeyExchange<'_>,
    ) -> Result<ServerShare, Refusal> {
        let config = look.config;
        let group = Group::from_id(exchange.group);
        let group = group.filter(|group| group.is_curve() && config.groups.contains(group));
        let group = group.ok_or(Refusal::doubt(AlertDescription::ILLEGAL_PARAMETER))?;
        let scheme = negotiate::check_scheme(config, exchange.scheme)?;
        let (client, server) = (
            &self.negotiated.client_random,
            &self.negotiated.server_random,
        );
        let message = ServerKeyExchange::signed(exchange.group, exchange.public, client, server);
        let signed = key.check_signature(Version::Dtls12, scheme, &message, exchange.signature);
        Ok(ServerShare {
            group,
            public: exchange.public.to_vec(),
            signed: signed.ok_or(Refusal::doubt(AlertDescription::DECRYPT_ERROR))?,
        })
    }

    pub(super) fn take(self, work: &mut Work<'_>, server: SignedShare) -> ExpectCertificateRequest {
        work.trust.set_chain(server.certificate.chain);
        work.hear_behind(1, Kind::ServerKeyExchange);
        ExpectCertificateRequest {
            negotiated: self.negotiated,
            server: server.share,
        }
    }
}

impl ExpectCertificateRequest {
    pub(super) fn weigh(
        look: &Look<'_>,
        request: &CertificateRequest,
    ) -> Result<SignatureScheme, Refusal> {
        let (certificate, accepted) = (&look.config.certificate, &request.signature_algorithms);
        let scheme = certificate.choose_scheme(Version::Dtls12, accepted);
        scheme.ok_or(Refusal::doubt(AlertDescription::HANDSHAKE_FAILURE))
    }

    pub(super) fn take(self, scheme: SignatureScheme) -> ExpectServerHelloDone {
        let scheme = Some(scheme);
        ExpectServerHelloDone {
            scheme,
            ..self.pass()
        }
    }

    /// Nobody asks who we are.
    pub(super) fn pass(self) -> ExpectServerHelloDone {
        ExpectServerHelloDone {
            negotiated: self.negotiated,
            server: self.server,
            scheme: None,
        }
    }
}

impl ExpectServerHelloDone {
    pub(super) fn take(self, work: &mut Work<'_>) -> Result<Last, Fault> {
        let internal = Fault::new(AlertDescription::INTERNAL_ERROR);
        let config = work.config;
        let ServerShare {
            group,
            public,
            signed,
        } = self.server;
        let share = KeyShare::generate(group).ok_or(internal)?;
        let ours = share.public().to_vec();
        let premaster = share.agree(&public);
        let premaster = premaster.ok_or(Fault::new(AlertDescription::ILLEGAL_PARAMETER))?;

        work.outgoing.begin(Ends::Answer, None);
        if self.scheme.is_some() {
            let chain = config.certificate.chain().iter().map(Vec::as_slice);
            let chain = chain.collect();
            work.say(0, &Message::Certificate(Certificate { chain }));
        }
        let public = &ours;
        work.say(0, &Message::ClientKeyExchange(ClientKeyExchange { public }));
        let master = work.derive_keys(&self.negotiated, &premaster, Role::Client)?;
        let flight = LastFlight {
            negotiated: self.negotiated,
            group,
            master,
            signed,
        };
        let Some(scheme) = self.scheme else {
            return Ok(Last::Said(Box::new(flight.end(work))));
        };
        let pending = Pending {
            version: Version::Dtls12,
            scheme,
            message: work.transcript.bytes().to_vec(),
        };
        let flight = SignedFlight { flight, scheme };
        Ok(Last::Sign(signing::sign(work, pending)?, Box::new(flight)))
    }
}

impl SignedFlight {
    pub(super) fn resume(self, work: &mut Work<'_>, signature: &[u8]) -> ExpectFinished {
        let verify = CertificateVerify {
            scheme: self.scheme.id(),
            signature,
        };
        work.say(0, &Message::CertificateVerify(verify));
        self.flight.end(work)
    }
}

impl LastFlight {
    fn end(self, work: &mut Work<'_>) -> ExpectFinished {
        work.outgoing.push_change_cipher_spec();
        work.say_finished_1_2(&self.negotiated, &self.master, CLIENT_FINISHED);
        ExpectFinished {
            negotiated: self.negotiated,
            group: self.group,
            master: self.master,
            signed: self.signed,
        }
    }
}

impl ExpectFinished {
    pub(super) fn weigh(
        &self,
        look: &Look<'_>,
        finished: &Finished<'_>,
    ) -> Result<proof::Finished, Refusal> {
        let (negotiated, master) = (&self.negotiated, &self.master);
        check_finished(look, negotiated, master, SERVER_FINISHED, finished)
    }

    pub(super) fn take(self, work: &mut Work<'_>, finished: proof::Finished) -> Box<Session> {
        work.outgoing.answered();
        let session = Session::new(
            self.negotiated,
            self.group,
            Secrets::V12(self.master),
            proof::Identity::Signed(self.signed),
            finished,
        );
        Box::new(session)
    }
}
