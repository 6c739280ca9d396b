//! The server's side: flights 2, 4 and 6 of RFC 6347 §4.2.4.

use zeroize::Zeroizing;

use crate::{
    AlertDescription, CipherSuite, Config, Group, SignatureScheme,
    certificate::public_key,
    crypto::{group::KeyShare, signature::PublicKey},
    handshake::{
        CLIENT_FINISHED, Fault, Negotiated, Role, SERVER_FINISHED, Session, Step, Work, cookie,
        offer,
    },
    message::{
        Certificate, CertificateRequest, CertificateVerify, ClientHello, ClientKeyExchange,
        Extensions, Finished, HelloVerifyRequest, Message, ServerHello, ServerKeyExchange,
        certificate_request::{ECDSA_SIGN, RSA_SIGN},
        extension,
    },
    record,
};

#[derive(Clone)]
pub(super) struct ExpectClientHello {
    cookie_key: Zeroizing<[u8; 32]>,
}

pub(super) struct ExpectCertificate {
    negotiated: Negotiated,
    share: KeyShare,
}

pub(super) struct ExpectClientKeyExchange {
    negotiated: Negotiated,
    share: KeyShare,
    client_key: PublicKey,
}

pub(super) struct ExpectCertificateVerify {
    session: Session,
    client_key: PublicKey,
}

pub(super) struct ExpectFinished {
    session: Session,
}

/// What is chosen from a ClientHello, apart from what is random.
struct Choice {
    suite: CipherSuite,
    group: Group,
    scheme: SignatureScheme,
    extended_master_secret: bool,
    srtp_profile: Option<crate::SrtpProfile>,
    alpn: Option<String>,
    point_formats: bool,
    renegotiation_info: bool,
}

impl ExpectClientHello {
    pub(super) fn new(cookie_key: [u8; 32]) -> Self {
        Self {
            cookie_key: Zeroizing::new(cookie_key),
        }
    }

    /// Whether the hello offers something we can choose. One that does not is only noted: anybody could
    /// have sent it (known failure 13).
    pub(super) fn check(&self, config: &Config, hello: &ClientHello<'_>) -> Result<(), Fault> {
        Choice::from_hello(config, hello).map(|_| ())
    }

    pub(super) fn handle(
        self,
        work: &mut Work<'_>,
        hello: &ClientHello<'_>,
    ) -> Result<Step, Fault> {
        let config = work.config;
        let context = &config.cookie_context;
        if config.cookie_exchange && !cookie::is_valid(&self.cookie_key, context, hello) {
            let cookie = cookie::cookie(&self.cookie_key, context, hello);
            let request = HelloVerifyRequest {
                version: DTLS_1_0,
                cookie: &cookie,
            };
            // RFC 6347 §4.2.1: not repeated by the clock, and no part of the transcript.
            work.flight.begin(false);
            work.flight.push(0, &Message::HelloVerifyRequest(request));
            work.transcript.clear();
            return Ok(Step::ClientHello(self));
        }
        let choice = Choice::from_hello(config, hello)?;
        let internal = Fault::new(AlertDescription::INTERNAL_ERROR);
        let share = KeyShare::generate(choice.group).ok_or(internal)?;
        let negotiated = Negotiated {
            suite: choice.suite,
            client_random: hello.random,
            server_random: work.random(),
            extended_master_secret: choice.extended_master_secret,
            srtp_profile: choice.srtp_profile,
            alpn: choice.alpn.clone(),
        };

        work.flight.begin(true);
        let answer = ServerHello {
            version: record::VERSION,
            random: negotiated.server_random,
            session_id: &[],
            cipher_suite: choice.suite.id(),
            compression_method: 0,
            extensions: choice.answers(),
        };
        work.say(0, &Message::ServerHello(answer));
        let chain = config
            .certificate
            .chain()
            .iter()
            .map(Vec::as_slice)
            .collect();
        work.say(0, &Message::Certificate(Certificate { chain }));
        let (client_random, server_random) = (&hello.random, &negotiated.server_random);
        let (group, public) = (choice.group.id(), share.public());
        let signed = ServerKeyExchange::signed(group, public, client_random, server_random);
        let signature = config
            .certificate
            .sign(choice.scheme, &signed)
            .ok_or(internal)?;
        let exchange = ServerKeyExchange {
            group,
            public,
            scheme: choice.scheme.id(),
            signature: &signature,
        };
        work.say(0, &Message::ServerKeyExchange(exchange));
        let request = CertificateRequest {
            certificate_types: vec![ECDSA_SIGN, RSA_SIGN],
            signature_algorithms: offer::schemes(config),
            authorities: Vec::new(),
        };
        work.say(0, &Message::CertificateRequest(request));
        work.say(0, &Message::ServerHelloDone);
        let step = ExpectCertificate { negotiated, share };
        Ok(Step::ClientCertificate(Box::new(step)))
    }
}

impl Choice {
    fn from_hello(config: &Config, hello: &ClientHello<'_>) -> Result<Self, Fault> {
        let failure = Fault::new(AlertDescription::HANDSHAKE_FAILURE);
        let illegal = Fault::new(AlertDescription::ILLEGAL_PARAMETER);
        let extensions = &hello.extensions;
        // RFC 8446 §4.2.1: where it stands, it alone says the versions. Numbers fall in DTLS.
        let speaks_1_2 = match extensions.supported_versions()? {
            Some(versions) => versions.contains(&record::VERSION),
            None => hello.version >> 8 == 0xFE && hello.version <= record::VERSION,
        };
        if !speaks_1_2 {
            return Err(Fault::new(AlertDescription::PROTOCOL_VERSION));
        }
        // RFC 8422 §5.1.2: uncompressed points must be among the formats.
        let point_formats = extensions.get(extension::EC_POINT_FORMATS);
        let uncompressed =
            point_formats.is_none_or(|formats| formats.iter().skip(1).any(|f| *f == 0));
        if !hello.compression_methods.contains(&0) || !uncompressed {
            return Err(illegal);
        }

        let authentication = offer::authentication(config.certificate.key_type());
        let mut suites = config.cipher_suites.iter().copied();
        let suite = suites.find(|suite| {
            suite.authentication() == authentication && hello.cipher_suites.contains(&suite.id())
        });
        // RFC 8422 §4: without the extension any group may be chosen; P-256 is the one everybody has.
        let offered = extensions.numbers(extension::SUPPORTED_GROUPS)?;
        let offered = offered.unwrap_or(vec![Group::P256.id()]);
        let group = config
            .groups
            .iter()
            .copied()
            .find(|group| offered.contains(&group.id()));
        // RFC 5246 §7.4.1.4.1: without the extension it would be SHA-1, which we do not sign with.
        let schemes = extensions
            .numbers(extension::SIGNATURE_ALGORITHMS)?
            .unwrap_or_default();
        let scheme = SignatureScheme::for_signing(config.certificate.key_type(), &schemes);

        let extended = extensions.get(extension::EXTENDED_MASTER_SECRET).is_some();
        if !extended && config.require_extended_master_secret {
            return Err(failure);
        }
        // RFC 5746 §3.6: either says that the client knows; there is no handshake before this one.
        let renegotiation = extensions.get(extension::RENEGOTIATION_INFO);
        if renegotiation.is_some_and(|info| info != offer::EMPTY_RENEGOTIATION_INFO) {
            return Err(failure);
        }
        let signalled = hello
            .cipher_suites
            .contains(&offer::EMPTY_RENEGOTIATION_INFO_SCSV);
        let srtp_profile = extensions.use_srtp()?;
        let srtp_profile = srtp_profile.and_then(|srtp| offer::choose_srtp(config, &srtp.profiles));
        let alpn = match extensions.alpn()? {
            // RFC 7301 §3.2: names without one of ours among them end the handshake.
            Some(names) if !config.alpn.is_empty() => {
                let chosen = offer::choose_alpn(config, &names);
                Some(chosen.ok_or(Fault::new(AlertDescription::NO_APPLICATION_PROTOCOL))?)
            }
            _ => None,
        };
        Ok(Self {
            suite: suite.ok_or(failure)?,
            group: group.ok_or(failure)?,
            scheme: scheme.ok_or(failure)?,
            extended_master_secret: extended,
            srtp_profile,
            alpn,
            point_formats: point_formats.is_some(),
            renegotiation_info: renegotiation.is_some() || signalled,
        })
    }

    fn answers(&self) -> Extensions<'static> {
        let mut extensions = Extensions::default();
        if self.renegotiation_info {
            extensions.push(
                extension::RENEGOTIATION_INFO,
                &offer::EMPTY_RENEGOTIATION_INFO[..],
            );
        }
        if self.extended_master_secret {
            extensions.push(extension::EXTENDED_MASTER_SECRET, &[][..]);
        }
        if self.point_formats {
            extensions.push(extension::EC_POINT_FORMATS, &offer::UNCOMPRESSED_POINTS[..]);
        }
        if let Some(profile) = self.srtp_profile {
            extensions.push_use_srtp(&[profile.id()]);
        }
        if let Some(name) = &self.alpn {
            extensions.push_alpn([name.as_bytes()]);
        }
        extensions
    }
}

impl ExpectCertificate {
    pub(super) fn handle(
        self,
        work: &mut Work<'_>,
        message: &Certificate<'_>,
    ) -> Result<Step, Fault> {
        // RFC 8827 §6.5: without a certificate the client is nobody.
        let leaf = message.chain.first();
        let leaf = leaf.ok_or(Fault::new(AlertDescription::HANDSHAKE_FAILURE))?;
        work.check_certificate(&message.chain)?;
        let unsupported = Fault::new(AlertDescription::UNSUPPORTED_CERTIFICATE);
        let step = ExpectClientKeyExchange {
            negotiated: self.negotiated,
            share: self.share,
            client_key: public_key(leaf).ok_or(unsupported)?,
        };
        Ok(Step::ClientKeyExchange(Box::new(step)))
    }
}

impl ExpectClientKeyExchange {
    pub(super) fn handle(
        self,
        work: &mut Work<'_>,
        exchange: &ClientKeyExchange<'_>,
    ) -> Result<Step, Fault> {
        let group = self.share.group();
        let premaster = self.share.agree(exchange.public);
        let premaster = premaster.ok_or(Fault::new(AlertDescription::ILLEGAL_PARAMETER))?;
        let master = work.derive_keys(&self.negotiated, &premaster, Role::Server)?;
        let session = Session {
            negotiated: self.negotiated,
            group,
            master,
        };
        let step = ExpectCertificateVerify {
            session,
            client_key: self.client_key,
        };
        Ok(Step::CertificateVerify(Box::new(step)))
    }
}

impl ExpectCertificateVerify {
    pub(super) fn handle(
        self,
        work: &mut Work<'_>,
        verify: &CertificateVerify<'_>,
        before: usize,
    ) -> Result<Step, Fault> {
        let scheme = offer::accepted_scheme(work.config, verify.scheme)?;
        let said = work.transcript.until(before);
        if !self.client_key.verifies(scheme, said, verify.signature) {
            return Err(Fault::new(AlertDescription::DECRYPT_ERROR));
        }
        let session = self.session;
        Ok(Step::ClientFinished(Box::new(ExpectFinished { session })))
    }
}

impl ExpectFinished {
    pub(super) fn handle(
        self,
        work: &mut Work<'_>,
        finished: Finished,
        before: usize,
    ) -> Result<Step, Fault> {
        work.check_finished(&self.session, CLIENT_FINISHED, finished, before)?;
        // RFC 6347 §4.2.4: nothing answers the last flight, so it goes again when the peer's does.
        work.flight.begin(false);
        work.flight.push_change_cipher_spec();
        work.say_finished(&self.session, SERVER_FINISHED);
        Ok(Step::Complete(Box::new(self.session)))
    }
}

/// What a HelloVerifyRequest says whatever will be negotiated (RFC 6347 §4.2.1).
const DTLS_1_0: u16 = 0xFEFF;
