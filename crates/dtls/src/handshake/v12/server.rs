//! The server's side: flights 4 and 6 of RFC 6347 §4.2.4.

use crate::{
    AlertDescription, Group, Peer, Role, SignatureScheme, Version,
    crypto::{
        group::KeyShare,
        key::{PublicKey, Signed},
        prf::MasterSecret,
    },
    handshake::{
        negotiate::{self, server::Choice},
        proof,
        session::{Negotiated, Secrets, Session},
        signing::{self, Pending, Signing},
        v12::keys::{CLIENT_FINISHED, SERVER_FINISHED, check_finished},
        work::{Fault, Look, PeerCertificate, Refusal, Work},
    },
    message::{
        Certificate, CertificateRequest, CertificateVerify, Finished, Message, ServerHello,
        ServerKeyExchange,
        certificate_request::{ECDSA_SIGN, RSA_SIGN},
    },
    outgoing::Ends,
    record,
};

pub(in crate::handshake) struct ExpectCertificate {
    negotiated: Negotiated,
    share: KeyShare,
}

pub(in crate::handshake) struct ExpectClientKeyExchange {
    negotiated: Negotiated,
    share: KeyShare,
    /// `None` where nobody asked for it.
    client_key: Option<PublicKey>,
}

pub(in crate::handshake) struct ExpectCertificateVerify {
    negotiated: Negotiated,
    group: Group,
    master: MasterSecret,
    client_key: PublicKey,
}

pub(in crate::handshake) struct ExpectFinished {
    negotiated: Negotiated,
    group: Group,
    master: MasterSecret,
    identity: proof::Identity,
}

/// The server's flight, but for its signature.
pub(in crate::handshake) struct FirstFlight {
    negotiated: Negotiated,
    share: KeyShare,
    scheme: SignatureScheme,
}

/// What follows that flight.
pub(super) enum Awaited {
    Certificate(ExpectCertificate),
    KeyExchange(ExpectClientKeyExchange),
}

/// What follows the client's share.
pub(super) enum Proof {
    Verify(ExpectCertificateVerify),
    Finished(ExpectFinished),
}

/// Answers the ClientHello.
pub(super) fn start(work: &mut Work<'_>, choice: &Choice) -> Result<(Signing, FirstFlight), Fault> {
    let config = work.config;
    let internal = Fault::new(AlertDescription::INTERNAL_ERROR);
    let share = KeyShare::generate(choice.group).ok_or(internal)?;
    let negotiated = Negotiated {
        version: Version::Dtls12,
        suite: choice.suite,
        client_random: choice.client_random,
        server_random: choice.server_random(work),
        extended_master_secret: choice.extended_master_secret,
        srtp_profile: choice.srtp_profile,
        alpn: choice.alpn.clone(),
    };

    work.outgoing.begin(Ends::Answer, None);
    let answer = ServerHello {
        version: record::VERSION,
        random: negotiated.server_random,
        session_id: &[],
        cipher_suite: choice.suite.id(),
        compression_method: 0,
        extensions: choice.answers(),
    };
    work.say(0, &Message::ServerHello(answer));
    let chain = config.certificate.chain().iter().map(Vec::as_slice);
    let chain = chain.collect();
    work.say(0, &Message::Certificate(Certificate { chain }));
    let (client, server) = (&choice.client_random, &negotiated.server_random);
    let (group, public) = (choice.group.id(), share.public());
    let signed = ServerKeyExchange::signed(group, public, client, server);
    let pending = Pending {
        version: Version::Dtls12,
        scheme: choice.scheme,
        message: signed,
    };
    let flight = FirstFlight {
        negotiated,
        share,
        scheme: choice.scheme,
    };
    Ok((signing::sign(work, pending)?, flight))
}

impl FirstFlight {
    pub(super) fn resume(self, work: &mut Work<'_>, signature: &[u8]) -> Awaited {
        let exchange = ServerKeyExchange {
            group: self.share.group().id(),
            public: self.share.public(),
            scheme: self.scheme.id(),
            signature,
        };
        work.say(0, &Message::ServerKeyExchange(exchange));
        if work.config.peer == Peer::Nobody {
            work.say(0, &Message::ServerHelloDone);
            return Awaited::KeyExchange(ExpectClientKeyExchange {
                negotiated: self.negotiated,
                share: self.share,
                client_key: None,
            });
        }
        let request = CertificateRequest {
            certificate_types: vec![ECDSA_SIGN, RSA_SIGN],
            signature_algorithms: negotiate::schemes(work.config, Some(Version::Dtls12)),
            authorities: Vec::new(),
        };
        work.say(0, &Message::CertificateRequest(request));
        work.say(0, &Message::ServerHelloDone);
        Awaited::Certificate(ExpectCertificate {
            negotiated: self.negotiated,
            share: self.share,
        })
    }
}

impl ExpectCertificate {
    pub(super) fn weigh(
        look: &Look<'_>,
        message: &Certificate<'_>,
    ) -> Result<PeerCertificate, Refusal> {
        // RFC 8827 §6.5: without a certificate the client is nobody.
        if message.chain.is_empty() {
            return Err(Refusal::doubt(AlertDescription::HANDSHAKE_FAILURE));
        }
        look.check_certificate(&message.chain)
    }

    pub(super) fn take(
        self,
        work: &mut Work<'_>,
        certificate: PeerCertificate,
    ) -> ExpectClientKeyExchange {
        work.trust.set_chain(certificate.chain);
        ExpectClientKeyExchange {
            negotiated: self.negotiated,
            share: self.share,
            client_key: Some(certificate.key),
        }
    }
}

impl ExpectClientKeyExchange {
    pub(super) fn take(self, work: &mut Work<'_>, public: &[u8]) -> Result<Proof, Fault> {
        let group = self.share.group();
        let premaster = self.share.agree(public);
        let premaster = premaster.ok_or(Fault::new(AlertDescription::ILLEGAL_PARAMETER))?;
        let master = work.derive_keys(&self.negotiated, &premaster, Role::Server)?;
        if let Some(client_key) = self.client_key {
            return Ok(Proof::Verify(ExpectCertificateVerify {
                negotiated: self.negotiated,
                group,
                master,
                client_key,
            }));
        }
        let unasked = proof::check_unasked(work.config.peer, Role::Server);
        let unasked = unasked.ok_or(Fault::new(AlertDescription::INTERNAL_ERROR))?;
        Ok(Proof::Finished(ExpectFinished {
            negotiated: self.negotiated,
            group,
            master,
            identity: proof::Identity::Unasked(unasked),
        }))
    }
}

impl ExpectCertificateVerify {
    pub(super) fn weigh(
        &self,
        look: &Look<'_>,
        verify: &CertificateVerify<'_>,
    ) -> Result<Signed, Refusal> {
        let scheme = negotiate::check_scheme(look.config, verify.scheme)?;
        let (key, said) = (&self.client_key, look.transcript.bytes());
        let signed = key.check_signature(Version::Dtls12, scheme, said, verify.signature);
        signed.ok_or(Refusal::end(AlertDescription::DECRYPT_ERROR))
    }

    pub(super) fn take(self, signed: Signed) -> ExpectFinished {
        ExpectFinished {
            negotiated: self.negotiated,
            group: self.group,
            master: self.master,
            identity: proof::Identity::Signed(signed),
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
        check_finished(look, negotiated, master, CLIENT_FINISHED, finished)
    }

    pub(super) fn take(self, work: &mut Work<'_>, finished: proof::Finished) -> Box<Session> {
        // RFC 6347 §4.2.4: nothing answers the last flight, so it goes again when the peer's does.
        work.outgoing.begin(Ends::Repetition, None);
        work.outgoing.push_change_cipher_spec();
        work.say_finished_1_2(&self.negotiated, &self.master, SERVER_FINISHED);
        let session = Session::new(
            self.negotiated,
            self.group,
            Secrets::V12(self.master),
            self.identity,
            finished,
        );
        Box::new(session)
    }
}
