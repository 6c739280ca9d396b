//! The client's side: flights 1, 3 and 5 of RFC 6347 §4.2.4.

use subtle::ConstantTimeEq;

use crate::{
    AlertDescription, CipherSuite, Group, SignatureScheme, SrtpProfile,
    certificate::public_key,
    crypto::{group::KeyShare, prf, signature::PublicKey, suite::Authentication},
    handshake::{
        CLIENT_FINISHED, Fault, Negotiated, Role, SERVER_FINISHED, Session, Step, Work, offer,
    },
    message::{
        Certificate, CertificateRequest, CertificateVerify, ClientHello, ClientKeyExchange,
        Extensions, Finished, HelloVerifyRequest, Message, ServerHello, ServerKeyExchange,
        extension,
    },
    record,
};

pub(super) struct ExpectServerHello {
    random: [u8; 32],
    cookie: Vec<u8>,
    hellos_sent: u8,
}

pub(super) struct ExpectCertificate {
    negotiated: Negotiated,
}

pub(super) struct ExpectServerKeyExchange {
    negotiated: Negotiated,
    server_key: PublicKey,
}

pub(super) struct ExpectCertificateRequest {
    negotiated: Negotiated,
    group: Group,
    server_public: Vec<u8>,
}

pub(super) struct ExpectServerHelloDone {
    negotiated: Negotiated,
    group: Group,
    server_public: Vec<u8>,
    scheme: SignatureScheme,
}

pub(super) struct ExpectFinished {
    session: Session,
}

pub(super) fn start(work: &mut Work<'_>) -> ExpectServerHello {
    let step = ExpectServerHello {
        random: work.random(),
        cookie: Vec::new(),
        hellos_sent: 1,
    };
    step.say_hello(work);
    step
}

impl ExpectServerHello {
    fn say_hello(&self, work: &mut Work<'_>) {
        let config = work.config;
        let mut extensions = Extensions::default();
        let groups: Vec<u16> = config.groups.iter().map(|group| group.id()).collect();
        extensions.push_numbers(extension::SUPPORTED_GROUPS, &groups);
        extensions.push(extension::EC_POINT_FORMATS, &offer::UNCOMPRESSED_POINTS[..]);
        extensions.push_numbers(extension::SIGNATURE_ALGORITHMS, &offer::schemes(config));
        extensions.push(extension::EXTENDED_MASTER_SECRET, &[][..]);
        extensions.push(
            extension::RENEGOTIATION_INFO,
            &offer::EMPTY_RENEGOTIATION_INFO[..],
        );
        if !config.srtp_profiles.is_empty() {
            let profiles = config.srtp_profiles.iter().copied().map(SrtpProfile::id);
            extensions.push_use_srtp(&profiles.collect::<Vec<_>>());
        }
        if !config.alpn.is_empty() {
            extensions.push_alpn(config.alpn.iter().map(String::as_bytes));
        }
        let hello = ClientHello {
            version: record::VERSION,
            random: self.random,
            session_id: &[],
            cookie: &self.cookie,
            cipher_suites: config
                .cipher_suites
                .iter()
                .map(|suite| suite.id())
                .collect(),
            compression_methods: &[0],
            extensions,
        };
        work.transcript.clear();
        work.flight.begin(true);
        work.say(0, &Message::ClientHello(hello));
    }

    /// Whether the cookie was new and the hello goes out again with it.
    pub(super) fn handle_verify_request(
        &mut self,
        work: &mut Work<'_>,
        request: &HelloVerifyRequest<'_>,
    ) -> bool {
        // Anybody can make these: known failure 37. A repeated one is a retransmission.
        if self.hellos_sent >= MAX_HELLOS || request.cookie == self.cookie {
            return false;
        }
        self.hellos_sent += 1;
        self.cookie = request.cookie.to_vec();
        self.say_hello(work);
        true
    }

    pub(super) fn handle(
        self,
        work: &mut Work<'_>,
        hello: &ServerHello<'_>,
    ) -> Result<Step, Fault> {
        let config = work.config;
        if hello.version != record::VERSION {
            return Err(Fault::new(AlertDescription::PROTOCOL_VERSION));
        }
        let illegal = Fault::new(AlertDescription::ILLEGAL_PARAMETER);
        let suite = CipherSuite::from_id(hello.cipher_suite);
        let suite = suite
            .filter(|suite| config.cipher_suites.contains(suite))
            .ok_or(illegal)?;
        if hello.compression_method != 0 {
            return Err(illegal);
        }
        let extensions = &hello.extensions;
        // RFC 5246 §7.4.1.4: only what was offered may be answered.
        let offered = |kind| match kind {
            extension::EC_POINT_FORMATS
            | extension::EXTENDED_MASTER_SECRET
            | extension::RENEGOTIATION_INFO
            // RFC 8422 §4: servers that send their groups are to be tolerated.
            | extension::SUPPORTED_GROUPS => true,
            extension::USE_SRTP => !config.srtp_profiles.is_empty(),
            extension::ALPN => !config.alpn.is_empty(),
            _ => false,
        };
        if extensions.iter().any(|extension| !offered(extension.kind)) {
            return Err(Fault::new(AlertDescription::UNSUPPORTED_EXTENSION));
        }
        // RFC 5746 §3.4: in a first handshake it must be empty.
        let renegotiation = extensions.get(extension::RENEGOTIATION_INFO);
        let first = renegotiation.is_none_or(|info| info == offer::EMPTY_RENEGOTIATION_INFO);
        let extended = extensions.get(extension::EXTENDED_MASTER_SECRET);
        let unbound = extended.is_none() && config.require_extended_master_secret;
        if !first || unbound {
            return Err(Fault::new(AlertDescription::HANDSHAKE_FAILURE));
        }
        if extended.is_some_and(|body| !body.is_empty()) {
            return Err(Fault::new(AlertDescription::DECODE_ERROR));
        }
        // RFC 5764 §4.1.1: one profile, of those offered, and our (empty) MKI.
        let srtp_profile = match extensions.use_srtp()? {
            Some(answer) => match (answer.profiles.as_slice(), answer.mki) {
                ([profile], []) => Some(offer::choose_srtp(config, &[*profile]).ok_or(illegal)?),
                _ => return Err(illegal),
            },
            None => None,
        };
        let alpn = match extensions.alpn()?.as_deref() {
            Some([name]) => {
                let name = config.alpn.iter().find(|ours| ours.as_bytes() == *name);
                Some(name.ok_or(illegal)?.clone())
            }
            Some(_) => return Err(illegal),
            None => None,
        };
        let negotiated = Negotiated {
            suite,
            client_random: self.random,
            server_random: hello.random,
            extended_master_secret: extended.is_some(),
            srtp_profile,
            alpn,
        };
        Ok(Step::ServerCertificate(Box::new(ExpectCertificate {
            negotiated,
        })))
    }
}

impl ExpectCertificate {
    pub(super) fn handle(
        self,
        work: &mut Work<'_>,
        message: &Certificate<'_>,
    ) -> Result<Step, Fault> {
        let leaf = message.chain.first();
        let leaf = leaf.ok_or(Fault::new(AlertDescription::DECODE_ERROR))?;
        work.check_certificate(&message.chain)?;
        let unsupported = Fault::new(AlertDescription::UNSUPPORTED_CERTIFICATE);
        let server_key = public_key(leaf).ok_or(unsupported)?;
        let authentication = match server_key {
            PublicKey::P256(_) | PublicKey::P384(_) => Authentication::Ecdsa,
            PublicKey::Rsa(_) => Authentication::Rsa,
        };
        if authentication != self.negotiated.suite.authentication() {
            return Err(Fault::new(AlertDescription::ILLEGAL_PARAMETER));
        }
        let step = ExpectServerKeyExchange {
            negotiated: self.negotiated,
            server_key,
        };
        Ok(Step::ServerKeyExchange(Box::new(step)))
    }
}

impl ExpectServerKeyExchange {
    pub(super) fn handle(
        self,
        work: &mut Work<'_>,
        exchange: &ServerKeyExchange<'_>,
    ) -> Result<Step, Fault> {
        let config = work.config;
        let group = Group::from_id(exchange.group).filter(|group| config.groups.contains(group));
        let group = group.ok_or(Fault::new(AlertDescription::ILLEGAL_PARAMETER))?;
        let scheme = offer::accepted_scheme(config, exchange.scheme)?;
        let Negotiated {
            client_random,
            server_random,
            ..
        } = &self.negotiated;
        let (id, public) = (exchange.group, exchange.public);
        let signed = ServerKeyExchange::signed(id, public, client_random, server_random);
        if !self
            .server_key
            .verifies(scheme, &signed, exchange.signature)
        {
            return Err(Fault::new(AlertDescription::DECRYPT_ERROR));
        }
        let step = ExpectCertificateRequest {
            negotiated: self.negotiated,
            group,
            server_public: public.to_vec(),
        };
        Ok(Step::CertificateRequest(Box::new(step)))
    }
}

impl ExpectCertificateRequest {
    pub(super) fn handle(
        self,
        work: &mut Work<'_>,
        request: &CertificateRequest,
    ) -> Result<Step, Fault> {
        let key_type = work.config.certificate.key_type();
        let scheme = SignatureScheme::for_signing(key_type, &request.signature_algorithms);
        let step = ExpectServerHelloDone {
            negotiated: self.negotiated,
            group: self.group,
            server_public: self.server_public,
            scheme: scheme.ok_or(Fault::new(AlertDescription::HANDSHAKE_FAILURE))?,
        };
        Ok(Step::ServerHelloDone(Box::new(step)))
    }
}

impl ExpectServerHelloDone {
    pub(super) fn handle(self, work: &mut Work<'_>) -> Result<Step, Fault> {
        let internal = Fault::new(AlertDescription::INTERNAL_ERROR);
        let config = work.config;
        let share = KeyShare::generate(self.group).ok_or(internal)?;
        let public = share.public().to_vec();
        let premaster = share.agree(&self.server_public);
        let premaster = premaster.ok_or(Fault::new(AlertDescription::ILLEGAL_PARAMETER))?;

        work.flight.begin(true);
        let chain = config
            .certificate
            .chain()
            .iter()
            .map(Vec::as_slice)
            .collect();
        work.say(0, &Message::Certificate(Certificate { chain }));
        let public = &public;
        work.say(0, &Message::ClientKeyExchange(ClientKeyExchange { public }));
        let master = work.derive_keys(&self.negotiated, &premaster, Role::Client)?;

        let said = work.transcript.until(work.transcript.len());
        let signature = config.certificate.sign(self.scheme, said).ok_or(internal)?;
        let verify = CertificateVerify {
            scheme: self.scheme.id(),
            signature: &signature,
        };
        work.say(0, &Message::CertificateVerify(verify));
        work.flight.push_change_cipher_spec();
        let session = Session {
            negotiated: self.negotiated,
            group: self.group,
            master,
        };
        work.say_finished(&session, CLIENT_FINISHED);
        Ok(Step::ServerFinished(Box::new(ExpectFinished { session })))
    }
}

impl ExpectFinished {
    pub(super) fn handle(
        self,
        work: &mut Work<'_>,
        finished: Finished,
        before: usize,
    ) -> Result<Step, Fault> {
        work.check_finished(&self.session, SERVER_FINISHED, finished, before)?;
        work.flight.clear();
        Ok(Step::Complete(Box::new(self.session)))
    }
}

impl Work<'_> {
    /// The first message under the new keys.
    pub(super) fn say_finished(&mut self, session: &Session, label: &[u8]) {
        let suite = session.negotiated.suite;
        let hash = self.transcript.hash(suite, self.transcript.len());
        let verify_data = prf::verify_data(suite, &session.master, label, &hash);
        self.say(1, &Message::Finished(Finished { verify_data }));
    }

    pub(super) fn check_finished(
        &self,
        session: &Session,
        label: &[u8],
        finished: Finished,
        before: usize,
    ) -> Result<(), Fault> {
        let suite = session.negotiated.suite;
        let hash = self.transcript.hash(suite, before);
        let expected = prf::verify_data(suite, &session.master, label, &hash);
        match bool::from(expected.ct_eq(&finished.verify_data)) {
            true => Ok(()),
            false => Err(Fault::new(AlertDescription::DECRYPT_ERROR)),
        }
    }
}

/// The first, and two that a HelloVerifyRequest asks for.
const MAX_HELLOS: u8 = 3;
