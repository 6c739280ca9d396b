use zeroize::Zeroizing;

use crate::{
    AlertDescription, CipherSuite, Config, Group, SignatureScheme, SrtpProfile, Version,
    handshake::{
        cookie::{self, Cookie13},
        negotiate,
        transcript::{Style, hello_hash},
        work::{Fault, Look, Refusal, Work},
    },
    message::{ClientHello, Extensions, HelloVerifyRequest, Kind, Message, ServerHello, extension},
    outgoing::Ends,
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
    /// The same in 1.3, or another share is wanted.
    Retry {
        request: Vec<u8>,
    },
    V12(Box<Choice>),
    V13(Box<Choice13>),
}

/// What follows a ClientHello.
pub(in crate::handshake) enum Next {
    /// Another one.
    Wait(Box<ExpectClientHello>),
    V12(Box<Choice>),
    V13(Box<Choice13>),
}

/// What is chosen from a ClientHello of 1.2, apart from what is random.
pub(in crate::handshake) struct Choice {
    pub(in crate::handshake) suite: CipherSuite,
    pub(in crate::handshake) group: Group,
    pub(in crate::handshake) scheme: SignatureScheme,
    pub(in crate::handshake) client_random: [u8; 32],
    pub(in crate::handshake) extended_master_secret: bool,
    pub(in crate::handshake) srtp_profile: Option<SrtpProfile>,
    pub(in crate::handshake) alpn: Option<String>,
    point_formats: bool,
    renegotiation_info: bool,
}

/// What is chosen from a ClientHello of 1.3.
pub(in crate::handshake) struct Choice13 {
    pub(in crate::handshake) suite: CipherSuite,
    pub(in crate::handshake) group: Group,
    pub(in crate::handshake) scheme: SignatureScheme,
    pub(in crate::handshake) client_random: [u8; 32],
    pub(in crate::handshake) srtp_profile: Option<SrtpProfile>,
    pub(in crate::handshake) alpn: Option<String>,
    /// The client's half of the agreement.
    pub(in crate::handshake) exchange: Vec<u8>,
    /// What came before this hello, as its cookie says: the hash of the first, and our request.
    before: Option<(Vec<u8>, Vec<u8>)>,
}

impl ExpectClientHello {
    pub(in crate::handshake) fn new(cookie_key: Zeroizing<[u8; 32]>) -> Self {
        Self { cookie_key }
    }

    /// A hello without anything to choose is only doubted: anybody could have sent it.
    pub(in crate::handshake) fn weigh(
        &self,
        look: &Look<'_>,
        hello: &ClientHello<'_>,
        body: &[u8],
    ) -> Result<Accepted, Refusal> {
        let version = choose_version(look.config, hello)?;
        // RFC 6347 §4.2.1, RFC 9147 §5.1: a later hello answers a request. Ours have a cookie, so that one without answers
        // a stranger's: its transcript is not ours.
        if look.sequence > 0 && cookie_of(version, hello)?.is_none() {
            return Err(Refusal::Ignore);
        }
        match version {
            Version::Dtls13 => self.weigh_1_3(look, hello, body),
            Version::Dtls12 => self.weigh_1_2(look, hello),
        }
    }

    /// Whether the client has shown that it receives at its address, or need not.
    pub(in crate::handshake) fn is_shown(&self, config: &Config, hello: &ClientHello<'_>) -> bool {
        let (key, context) = (&self.cookie_key, &config.cookie_context);
        let cookie = hello.extensions.cookie().ok().flatten();
        !config.cookie_exchange
            || cookie::check_cookie(key, context, hello)
            || cookie.is_some_and(|it| Cookie13::check_cookie(key, context, hello, it).is_some())
    }

    fn weigh_1_2(&self, look: &Look<'_>, hello: &ClientHello<'_>) -> Result<Accepted, Refusal> {
        let config = look.config;
        let context = &config.cookie_context;
        if config.cookie_exchange && !cookie::check_cookie(&self.cookie_key, context, hello) {
            let cookie = cookie::cookie(&self.cookie_key, context, hello);
            return Ok(Accepted::Verify { cookie });
        }
        let choice = Choice::from_hello(config, hello)?;
        Ok(Accepted::V12(Box::new(choice)))
    }

    fn weigh_1_3(
        &self,
        look: &Look<'_>,
        hello: &ClientHello<'_>,
        body: &[u8],
    ) -> Result<Accepted, Refusal> {
        let config = look.config;
        let illegal = Refusal::doubt(AlertDescription::ILLEGAL_PARAMETER);
        let (mut choice, exchange) = Choice13::from_hello(config, hello)?;
        let before = match cookie_of(Version::Dtls13, hello)? {
            Some(bytes) => {
                let (key, context) = (&self.cookie_key, &config.cookie_context);
                let cookie = Cookie13::check_cookie(key, context, hello, bytes);
                Some((cookie.ok_or(illegal)?, bytes))
            }
            None => None,
        };
        match (before, exchange) {
            (Some((cookie, bytes)), Some(exchange)) => {
                let group = cookie.group;
                let alone = hello
                    .extensions
                    .client_shares()?
                    .is_some_and(|it| it.len() == 1);
                let asked = group.is_none_or(|group| group == choice.group && alone);
                if cookie.suite != choice.suite || !asked {
                    return Err(illegal);
                }
                let request = retry_request(cookie.suite, group, bytes);
                choice.before = Some((cookie.first, request));
                choice.exchange = exchange;
                Ok(Accepted::V13(Box::new(choice)))
            }
            // RFC 8446 §4.1.4: there is one request, and it was answered with another share.
            (Some(_), None) => Err(illegal),
            (None, Some(exchange)) if !config.cookie_exchange => {
                choice.exchange = exchange;
                Ok(Accepted::V13(Box::new(choice)))
            }
            (None, exchange) => {
                let cookie = Cookie13 {
                    suite: choice.suite,
                    group: exchange.is_none().then_some(choice.group),
                    first: hello_hash(choice.suite, body).as_ref().to_vec(),
                };
                let bytes = cookie.seal(&self.cookie_key, &config.cookie_context, hello);
                let request = retry_request(cookie.suite, cookie.group, &bytes);
                Ok(Accepted::Retry { request })
            }
        }
    }

    pub(in crate::handshake) fn take(
        self: Box<Self>,
        work: &mut Work<'_>,
        accepted: Accepted,
    ) -> Result<Next, Fault> {
        // RFC 6347 §4.2.2: nothing is kept between the hellos, so each answer has its hello's number.
        work.outgoing.number_from(work.sequence);
        match accepted {
            Accepted::Verify { cookie } => {
                let request = HelloVerifyRequest {
                    version: DTLS_1_0,
                    cookie: &cookie,
                };
                // RFC 6347 §4.2.1: not repeated by the clock, and no part of the transcript.
                work.outgoing.begin(Ends::Never, None);
                work.say_untranscribed(&Message::HelloVerifyRequest(request));
                Ok(Next::Wait(self))
            }
            Accepted::Retry { request } => {
                let internal = Fault::new(AlertDescription::INTERNAL_ERROR);
                let request = ServerHello::parse(&request).map_err(|_| internal)?;
                work.outgoing.begin(Ends::Never, None);
                work.say_untranscribed(&Message::ServerHello(request));
                Ok(Next::Wait(self))
            }
            Accepted::V12(choice) => {
                work.hear_hello(Kind::ClientHello);
                Ok(Next::V12(choice))
            }
            Accepted::V13(choice) => {
                work.transcript.set_style(Style::Tls);
                if let Some((first, request)) = &choice.before {
                    work.transcript.add_message_hash(first);
                    work.transcript.add_message(Kind::ServerHello, 0, request);
                }
                work.hear_hello(Kind::ClientHello);
                Ok(Next::V13(choice))
            }
        }
    }
}

/// The cookie that a hello brings back, where this version has it.
fn cookie_of<'h>(
    version: Version,
    hello: &'h ClientHello<'_>,
) -> Result<Option<&'h [u8]>, Refusal> {
    Ok(match version {
        Version::Dtls13 => hello.extensions.cookie()?,
        Version::Dtls12 => Some(hello.cookie).filter(|cookie| !cookie.is_empty()),
    })
}

/// A HelloRetryRequest: the same bytes whenever they are asked for again.
fn retry_request(suite: CipherSuite, group: Option<Group>, cookie: &[u8]) -> Vec<u8> {
    let mut extensions = Extensions::default();
    extensions.push_selected_version(Version::Dtls13.id());
    extensions.push_cookie(cookie);
    if let Some(group) = group {
        extensions.push_wanted_group(group.id());
    }
    let mut body = Vec::new();
    ServerHello {
        version: record::VERSION,
        random: negotiate::RETRY_RANDOM,
        session_id: &[],
        cipher_suite: suite.id(),
        compression_method: 0,
        extensions,
    }
    .write(&mut body);
    body
}

impl Choice13 {
    /// What is chosen, and the client's half for the group, if it sent one.
    fn from_hello(
        config: &Config,
        hello: &ClientHello<'_>,
    ) -> Result<(Self, Option<Vec<u8>>), Refusal> {
        let failure = Refusal::doubt(AlertDescription::HANDSHAKE_FAILURE);
        let missing = Refusal::doubt(AlertDescription::MISSING_EXTENSION);
        config.check().map_err(|_| failure)?;
        let extensions = &hello.extensions;
        let mut suites = config.cipher_suites.iter().copied();
        let suite = suites.find(|suite| {
            suite.version() == Version::Dtls13 && hello.cipher_suites.contains(&suite.id())
        });
        let offered = check_shares(hello)?;
        // Ours decides, never the shares: post-quantum whenever both can, for one round trip.
        let mut groups = config.groups_of(Version::Dtls13);
        let group = groups
            .find(|group| offered.contains(&group.id()))
            .ok_or(failure)?;
        let shares = extensions.client_shares()?.unwrap_or_default();
        let share = shares.iter().find(|share| share.group == group.id());
        let schemes = extensions
            .numbers(extension::SIGNATURE_ALGORITHMS)?
            .ok_or(missing)?;
        let scheme = config.certificate.choose_scheme(Version::Dtls13, &schemes);
        let srtp = extensions.use_srtp()?;
        let choice = Self {
            suite: suite.ok_or(failure)?,
            group,
            scheme: scheme.ok_or(failure)?,
            client_random: hello.random,
            srtp_profile: srtp.and_then(|srtp| negotiate::choose_srtp(config, &srtp.profiles)),
            alpn: negotiate::check_alpn_offer(config, extensions)?,
            exchange: Vec::new(),
            before: None,
        };
        Ok((choice, share.map(|share| share.exchange.to_vec())))
    }
}

/// The groups of a hello of 1.3, whose old fields and shares are in order (RFC 8446 §4.1.2, §4.2.8,
/// RFC 9147 §5.3).
fn check_shares(hello: &ClientHello<'_>) -> Result<Vec<u16>, Refusal> {
    let illegal = Refusal::doubt(AlertDescription::ILLEGAL_PARAMETER);
    let missing = Refusal::doubt(AlertDescription::MISSING_EXTENSION);
    // A session that a server of 1.2 once named may stand in it: it is passed over, and never echoed.
    if !hello.cookie.is_empty() || hello.compression_methods != [0] {
        return Err(illegal);
    }
    // RFC 8446 §4.2.11: the last, also where it is passed over.
    let extensions = hello.extensions.iter();
    let mut behind = extensions.skip_while(|it| it.kind != extension::PRE_SHARED_KEY);
    if behind.nth(1).is_some() {
        return Err(illegal);
    }
    let groups = hello.extensions.numbers(extension::SUPPORTED_GROUPS)?;
    let shares = hello.extensions.client_shares()?;
    let (groups, shares) = (groups.ok_or(missing)?, shares.ok_or(missing)?);
    for (index, share) in shares.iter().enumerate() {
        let mut before = shares.iter().take(index);
        let twice = before.any(|other| other.group == share.group);
        if twice || !groups.contains(&share.group) {
            return Err(illegal);
        }
    }
    Ok(groups)
}

impl Choice {
    fn from_hello(config: &Config, hello: &ClientHello<'_>) -> Result<Self, Refusal> {
        let failure = Refusal::doubt(AlertDescription::HANDSHAKE_FAILURE);
        config.check().map_err(|_| failure)?;
        let extensions = &hello.extensions;
        negotiate::check_point_formats(extensions)?;
        if !hello.compression_methods.contains(&0) {
            return Err(Refusal::doubt(AlertDescription::ILLEGAL_PARAMETER));
        }

        let authentication = negotiate::authentication(config.certificate.key_type());
        let mut suites = config.cipher_suites.iter().copied();
        let suite = suites.find(|suite| {
            suite.authentication() == Some(authentication)
                && hello.cipher_suites.contains(&suite.id())
        });
        // RFC 8422 §4: without the extension any group may be chosen; P-256 is the one everybody has.
        let offered = extensions.numbers(extension::SUPPORTED_GROUPS)?;
        let offered = offered.unwrap_or(vec![Group::P256.id()]);
        let mut groups = config.groups_of(Version::Dtls12);
        let group = groups.find(|group| offered.contains(&group.id()));
        // RFC 5246 §7.4.1.4.1: without the extension it would be SHA-1, which we do not sign with.
        let schemes = extensions.numbers(extension::SIGNATURE_ALGORITHMS)?;
        let schemes = schemes.unwrap_or_default();
        let scheme = config.certificate.choose_scheme(Version::Dtls12, &schemes);

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

    /// RFC 8446 §4.1.3: whoever could have spoken 1.3 says so.
    pub(in crate::handshake) fn server_random(&self, work: &mut Work<'_>) -> [u8; 32] {
        let mut random = work.random();
        if work.config.versions.contains(&Version::Dtls13)
            && let Some(end) = random.last_chunk_mut()
        {
            *end = negotiate::DOWNGRADE_1_2;
        }
        random
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

/// The newest version that both speak, whatever our order: an older one would look like a downgrade to a
/// client that speaks 1.3 too (RFC 8446 §4.1.3). RFC 8446 §4.2.1: where `supported_versions` stands, it
/// alone says which. Numbers fall in DTLS.
fn choose_version(config: &Config, hello: &ClientHello<'_>) -> Result<Version, Refusal> {
    let offered = hello.extensions.supported_versions()?;
    let old = hello.version >> 8 == 0xFE && hello.version <= record::VERSION;
    let speaks = |version: &Version| match &offered {
        Some(versions) => versions.contains(&version.id()),
        None => old && *version == Version::Dtls12,
    };
    let mut ours = Version::ALL
        .into_iter()
        .filter(|version| config.versions.contains(version));
    ours.find(speaks)
        .ok_or(Refusal::doubt(AlertDescription::PROTOCOL_VERSION))
}

/// What a HelloVerifyRequest says whatever will be negotiated (RFC 6347 §4.2.1).
const DTLS_1_0: u16 = 0xFEFF;
