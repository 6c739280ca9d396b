use zeroize::Zeroizing;

use crate::{
    AlertDescription, CipherSuite, Config, Group, SignatureScheme,
    handshake::{self, Fault, Look, Refusal, Work, cookie, negotiate, v12},
    message::{ClientHello, Extensions, HelloVerifyRequest, Kind, Message, extension},
    record,
};

/// The server waits for a hello that it can answer.
pub(in crate::handshake) struct ExpectClientHello {
    cookie_key: Zeroizing<[u8; 32]>,
}

/// How a ClientHello is answered.
pub(in crate::handshake) enum Accepted {
    /// The client is to show that it receives at its address.
    Verify {
        cookie: Vec<u8>,
    },
    V12(Box<Choice>),
}

/// What is chosen from a ClientHello, apart from what is random.
pub(in crate::handshake) struct Choice {
    pub(in crate::handshake) suite: CipherSuite,
    pub(in crate::handshake) group: Group,
    pub(in crate::handshake) scheme: SignatureScheme,
    pub(in crate::handshake) client_random: [u8; 32],
    pub(in crate::handshake) extended_master_secret: bool,
    pub(in crate::handshake) srtp_profile: Option<crate::SrtpProfile>,
    pub(in crate::handshake) alpn: Option<String>,
    point_formats: bool,
    renegotiation_info: bool,
}

impl ExpectClientHello {
    pub(in crate::handshake) fn new(cookie_key: [u8; 32]) -> Self {
        Self {
            cookie_key: Zeroizing::new(cookie_key),
        }
    }

    /// A hello without anything to choose is only doubted: anybody could have sent it.
    pub(in crate::handshake) fn weigh(
        &self,
        look: &Look<'_>,
        hello: &ClientHello<'_>,
    ) -> Result<Accepted, Refusal> {
        let config = look.config;
        let context = &config.cookie_context;
        if config.cookie_exchange && !cookie::check_cookie(&self.cookie_key, context, hello) {
            let cookie = cookie::cookie(&self.cookie_key, context, hello);
            return Ok(Accepted::Verify { cookie });
        }
        let choice = Choice::from_hello(config, hello)?;
        Ok(Accepted::V12(Box::new(choice)))
    }

    pub(in crate::handshake) fn take(
        self: Box<Self>,
        work: &mut Work<'_>,
        accepted: Accepted,
    ) -> Result<handshake::Step, Fault> {
        // RFC 6347 §4.2.2: nothing is kept between the hellos, so each answer has its hello's number.
        work.flight.number_from(work.sequence);
        match accepted {
            Accepted::Verify { cookie } => {
                let request = HelloVerifyRequest {
                    version: DTLS_1_0,
                    cookie: &cookie,
                };
                // RFC 6347 §4.2.1: not repeated by the clock, and no part of the transcript.
                work.flight.begin(false);
                work.say_untranscribed(&Message::HelloVerifyRequest(request));
                Ok(handshake::Step::ClientHello(self))
            }
            Accepted::V12(choice) => {
                work.hear_hello(Kind::ClientHello);
                v12::server::start(work, &choice)
            }
        }
    }
}

impl Choice {
    fn from_hello(config: &Config, hello: &ClientHello<'_>) -> Result<Self, Refusal> {
        let failure = Refusal::doubt(AlertDescription::HANDSHAKE_FAILURE);
        let extensions = &hello.extensions;
        check_version(hello)?;
        negotiate::check_point_formats(extensions)?;
        if !hello.compression_methods.contains(&0) {
            return Err(Refusal::doubt(AlertDescription::ILLEGAL_PARAMETER));
        }

        let authentication = negotiate::authentication(config.certificate.key_type());
        let mut suites = config.cipher_suites.iter().copied();
        let suite = suites.find(|suite| {
            suite.authentication() == authentication && hello.cipher_suites.contains(&suite.id())
        });
        // RFC 8422 §4: without the extension any group may be chosen; P-256 is the one everybody has.
        let offered = extensions.numbers(extension::SUPPORTED_GROUPS)?;
        let offered = offered.unwrap_or(vec![Group::P256.id()]);
        let mut groups = config.groups.iter().copied();
        let group = groups.find(|group| offered.contains(&group.id()));
        // RFC 5246 §7.4.1.4.1: without the extension it would be SHA-1, which we do not sign with.
        let schemes = extensions.numbers(extension::SIGNATURE_ALGORITHMS)?;
        let schemes = schemes.unwrap_or_default();
        let scheme = SignatureScheme::for_signing(config.certificate.key_type(), &schemes);

        let extended = extensions.get(extension::EXTENDED_MASTER_SECRET).is_some();
        if !extended && config.require_extended_master_secret {
            return Err(failure);
        }
        // RFC 5746 §3.6: either says that the client knows; there is no handshake before this one.
        let renegotiation = extensions.get(extension::RENEGOTIATION_INFO);
        if renegotiation.is_some_and(|info| info != negotiate::EMPTY_RENEGOTIATION_INFO) {
            return Err(failure);
        }
        let signalled = hello
            .cipher_suites
            .contains(&negotiate::EMPTY_RENEGOTIATION_INFO_SCSV);
        let srtp = extensions.use_srtp()?;
        Ok(Self {
            suite: suite.ok_or(failure)?,
            group: group.ok_or(failure)?,
            scheme: scheme.ok_or(failure)?,
            client_random: hello.random,
            extended_master_secret: extended,
            srtp_profile: srtp.and_then(|srtp| negotiate::choose_srtp(config, &srtp.profiles)),
            alpn: negotiate::check_alpn_offer(config, extensions)?,
            point_formats: extensions.get(extension::EC_POINT_FORMATS).is_some(),
            renegotiation_info: renegotiation.is_some() || signalled,
        })
    }

    pub(in crate::handshake) fn answers(&self) -> Extensions<'static> {
        let mut extensions = Extensions::default();
        if self.renegotiation_info {
            let first = &negotiate::EMPTY_RENEGOTIATION_INFO[..];
            extensions.push(extension::RENEGOTIATION_INFO, first);
        }
        if self.extended_master_secret {
            extensions.push(extension::EXTENDED_MASTER_SECRET, &[][..]);
        }
        if self.point_formats {
            let formats = &negotiate::UNCOMPRESSED_POINTS[..];
            extensions.push(extension::EC_POINT_FORMATS, formats);
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

/// RFC 8446 §4.2.1: where `supported_versions` stands, it alone says the versions. Numbers fall in DTLS.
fn check_version(hello: &ClientHello<'_>) -> Result<(), Refusal> {
    let speaks_1_2 = match hello.extensions.supported_versions()? {
        Some(versions) => versions.contains(&record::VERSION),
        None => hello.version >> 8 == 0xFE && hello.version <= record::VERSION,
    };
    match speaks_1_2 {
        true => Ok(()),
        false => Err(Refusal::doubt(AlertDescription::PROTOCOL_VERSION)),
    }
}

/// What a HelloVerifyRequest says whatever will be negotiated (RFC 6347 §4.2.1).
const DTLS_1_0: u16 = 0xFEFF;
