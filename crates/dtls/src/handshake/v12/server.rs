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
        Certificate, CertificateRequest, CertificateVerify, ClientKeyExchange, Finished, Kind,
        Message, ServerHello, ServerKeyExchange,
        certificate_request::{ECDSA_SIGN, RSA_SIGN},
    },
    outgoing::Ends,
    record,
};

/// The client has to say who it is: what it says there is weighed together, as its signature is over all of it.
pub(in crate::handshake) struct ExpectCertificate {
    half: Half,
}

/// The client need not say who it is.
pub(in crate::handshake) struct ExpectClientKeyExchange {
    half: Half,
}

/// What the hellos agreed on, and our half of the key agreement.
struct Half {
    negotiated: Negotiated,
    share: KeyShare,
}

/// The client's half of the key agreement, and who signed it.
pub(in crate::handshake) struct SignedExchange {
    certificate: PeerCertificate,
    public: Vec<u8>,
    signed: Signed,
}

pub(in crate::handshake) struct ExpectFinished {
    negotiated: Negotiated,
    group: Group,
    master: MasterSecret,
    identity: proof::Identity,
}

/// The server's flight, but for its signature.
pub(in crate::handshake) struct FirstFlight {
    half: Half,
    scheme: SignatureScheme,
}

/// What follows that flight.
pub(super) enum Awaited {
    Certificate(ExpectCertificate),
    KeyExchange(ExpectClientKeyExchange),
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
        half: Half { negotiated, share },
        scheme: choice.scheme,
    };
    Ok((signing::sign(work, pending)?, flight))
}

impl FirstFlight {
    pub(super) fn resume(self, work: &mut Work<'_>, signature: &[u8]) -> Awaited {
        let half = self.half;
        let exchange = ServerKeyExchange {
            group: half.share.group().id(),
            public: half.share.public(),
            scheme: self.scheme.id(),
            signature,
        };
        work.say(0, &Message::ServerKeyExchange(exchange));
        if work.config.peer == Peer::Nobody {
            work.say(0, &Message::ServerHelloDone);
            return Awaited::KeyExchange(ExpectClientKeyExchange { half });
        }
        let request = CertificateRequest {
            certificate_types: vec![ECDSA_SIGN, RSA_SIGN],
            signature_algorithms: negotiate::schemes(work.config, Some(Version::Dtls12)),
            authorities: Vec::new(),
        };
        work.say(0, &Message::CertificateRequest(request));
        work.say(0, &Message::ServerHelloDone);
        Awaited::Certificate(ExpectCertificate { half })
    }
}

impl ExpectCertificate {
    /// The signature is over all of the flight, so that what somebody else put into it is found before any of it is taken.
    pub(super) fn weigh(look: &Look<'_>) -> Result<SignedExchange, Refusal> {
        let (body, message) = look.check_behind(0, Kind::Certificate, Certificate::parse)?;
        // RFC 8827 §6.5: without a certificate the client is nobody.
        if message.chain.is_empty() {
            return Err(Refusal::doubt(AlertDescription::HANDSHAKE_FAILURE));
        }
        let second = Kind::ClientKeyExchange;
        let (its, exchange) = look.check_behind(1, second, ClientKeyExchange::parse)?;
        let third = Kind::CertificateVerify;
        let (_, verify) = look.check_behind(2, third, CertificateVerify::parse)?;
        let mut said = look.transcript.clone();
        said.add_message(Kind::Certificate, look.sequence, body);
        said.add_message(second, look.sequence.saturating_add(1), its);
        let certificate = look.check_certificate(&message.chain)?;
        let signed = check_verify(look, &certificate.key, said.bytes(), &verify);
        Ok(SignedExchange {
            certificate,
            public: exchange.public.to_vec(),
            signed: signed.map_err(|refusal| refusal.behind(2))?,
        })
    }

    pub(super) fn take(
        self,
        work: &mut Work<'_>,
        exchange: SignedExchange,
    ) -> Result<ExpectFinished, Fault> {
        work.trust.set_chain(exchange.certificate.chain);
        work.hear_behind(1, Kind::ClientKeyExchange);
        let identity = proof::Identity::Signed(exchange.signed);
        let step = self.half.agree(work, &exchange.public, identity)?;
        work.hear_behind(2, Kind::CertificateVerify);
        Ok(step)
    }
}

impl ExpectClientKeyExchange {
    pub(super) fn take(self, work: &mut Work<'_>, public: &[u8]) -> Result<ExpectFinished, Fault> {
        let unasked = proof::check_unasked(work.config.peer, Role::Server);
        let unasked = unasked.ok_or(Fault::new(AlertDescription::INTERNAL_ERROR))?;
        self.half
            .agree(work, public, proof::Identity::Unasked(unasked))
    }
}

impl Half {
    fn agree(
        self,
        work: &mut Work<'_>,
        public: &[u8],
        identity: proof::Identity,
    ) -> Result<ExpectFinished, Fault> {
        let group = self.share.group();
        let premaster = self.share.agree(public);
        let premaster = premaster.ok_or(Fault::new(AlertDescription::ILLEGAL_PARAMETER))?;
        let master = work.derive_keys(&self.negotiated, &premaster, Role::Server)?;
        Ok(ExpectFinished {
            negotiated: self.negotiated,
            group,
            master,
            identity,
        })
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

fn check_verify(
    look: &Look<'_>,
    key: &PublicKey,
    said: &[u8],
    verify: &CertificateVerify<'_>,
) -> Result<Signed, Refusal> {
    let scheme = negotiate::check_scheme(look.config, verify.scheme)?;
    let signed = key.check_signature(Version::Dtls12, scheme, said, verify.signature);
    signed.ok_or(Refusal::doubt(AlertDescription::DECRYPT_ERROR))
}
