use zeroize::Zeroizing;

use crate::{
    AlertDescription, CipherSuite, Group, SrtpProfile, Version,
    crypto::share::Share,
    handshake::{
        negotiate::{self, Place},
        session::Negotiated,
        transcript::{Style, hello_hash},
        work::{Fault, Look, Refusal, Work},
    },
    message::{
        ClientHello, Extensions, HelloVerifyRequest, KeyShareEntry, Kind, Message, ServerHello,
        extension,
    },
    outgoing::Ends,
    record,
};

/// The client has said its hello, once or more often: which of them is answered decides what counts.
pub(in crate::handshake) struct ExpectServerHello {
    random: [u8; 32],
    /// Every half of an agreement that left.
    shares: Vec<Share>,
    /// By number.
    hellos: Vec<Hello>,
}

/// One ClientHello that left.
struct Hello {
    /// As the server sees it.
    body: Vec<u8>,
    /// Of the HelloVerifyRequest that asked for it.
    cookie: Vec<u8>,
    /// Which of the shares it holds.
    shares: Vec<usize>,
    /// The HelloRetryRequest that asked for it.
    retry: Option<Retry>,
}

/// A HelloRetryRequest, and what it binds the ServerHello to.
#[derive(Clone)]
pub(in crate::handshake) struct Retry {
    /// The number of the hello that it answers, which is its own.
    answered: u16,
    body: Vec<u8>,
    suite: CipherSuite,
    group: Option<Group>,
    cookie: Vec<u8>,
}

/// What a server answers.
pub(in crate::handshake) enum Accepted {
    /// A HelloVerifyRequest with a cookie that is new.
    Verify { cookie: Vec<u8> },
    /// A HelloRetryRequest that is new.
    Retry(Retry),
    /// The ServerHello of 1.2 that answers this hello.
    V12 {
        hello: usize,
        negotiated: Negotiated,
    },
    /// The ServerHello of 1.3 that answers this hello, and the server's half for one of its shares.
    V13 {
        hello: usize,
        negotiated: Negotiated,
        share: usize,
        exchange: Vec<u8>,
    },
}

/// What follows an answer.
pub(in crate::handshake) enum Next {
    /// Another hello has left.
    Wait(Box<ExpectServerHello>),
    V12(Negotiated),
    V13 {
        negotiated: Negotiated,
        group: Group,
        shared: Zeroizing<Vec<u8>>,
    },
}

/// The client's first flight; `None` when there is nothing to offer, or the system has no randomness.
pub(in crate::handshake) fn start(work: &mut Work<'_>) -> Option<ExpectServerHello> {
    work.config.check().ok()?;
    let mut step = ExpectServerHello {
        random: work.random(),
        shares: Vec::new(),
        hellos: Vec::new(),
    };
    if speaks(work.config, Version::Dtls13) {
        let groups = work.config.groups_of(Version::Dtls13);
        for group in groups.take(FIRST_SHARES) {
            let share = Share::generate(group, &step.shares)?;
            step.shares.push(share);
        }
    }
    work.outgoing.begin(Ends::Answer, None);
    let shares = (0..step.shares.len()).collect();
    step.say_hello(work, &[], shares, None);
    Some(step)
}

impl ExpectServerHello {
    fn say_hello(
        &mut self,
        work: &mut Work<'_>,
        cookie: &[u8],
        shares: Vec<usize>,
        retry: Option<Retry>,
    ) {
        let config = work.config;
        let suites = config.cipher_suites.iter();
        let mut suites: Vec<&CipherSuite> =
            suites.filter(|it| speaks(config, it.version())).collect();
        suites.sort_by_key(|it| config.versions.iter().position(|v| *v == it.version()));
        let hello = ClientHello {
            version: record::VERSION,
            random: self.random,
            session_id: &[],
            cookie,
            cipher_suites: suites.iter().map(|suite| suite.id()).collect(),
            compression_methods: &[0],
            extensions: self.extensions(config, &shares, retry.as_ref()),
        };
        let body = work.say_untranscribed(&Message::ClientHello(hello));
        self.hellos.push(Hello {
            body,
            cookie: cookie.to_vec(),
            shares,
            retry,
        });
    }

    fn extensions(
        &self,
        config: &crate::Config,
        shares: &[usize],
        retry: Option<&Retry>,
    ) -> Extensions<'static> {
        let mut extensions = Extensions::default();
        let (old, new) = (
            speaks(config, Version::Dtls12),
            speaks(config, Version::Dtls13),
        );
        let newest = if new {
            Version::Dtls13
        } else {
            Version::Dtls12
        };
        let groups: Vec<u16> = config.groups_of(newest).map(Group::id).collect();
        extensions.push_numbers(extension::SUPPORTED_GROUPS, &groups);
        if old {
            let formats = &negotiate::UNCOMPRESSED_POINTS[..];
            extensions.push(extension::EC_POINT_FORMATS, formats);
        }
        let schemes = negotiate::schemes(config, (!old).then_some(Version::Dtls13));
        extensions.push_numbers(extension::SIGNATURE_ALGORITHMS, &schemes);
        if old {
            extensions.push(extension::EXTENDED_MASTER_SECRET, &[][..]);
            let first = &negotiate::EMPTY_RENEGOTIATION_INFO[..];
            extensions.push(extension::RENEGOTIATION_INFO, first);
        }
        if !config.srtp_profiles.is_empty() {
            let profiles = config.srtp_profiles.iter().copied().map(SrtpProfile::id);
            extensions.push_use_srtp(&profiles.collect::<Vec<_>>());
        }
        if !config.alpn.is_empty() {
            extensions.push_alpn(config.alpn.iter().map(String::as_bytes));
        }
        if new {
            let versions: Vec<u16> = config.versions.iter().map(|it| it.id()).collect();
            extensions.push_supported_versions(&versions);
            if let Some(retry) = retry.filter(|retry| !retry.cookie.is_empty()) {
                extensions.push_cookie(&retry.cookie);
            }
            let shares = shares.iter().filter_map(|index| self.shares.get(*index));
            let shares: Vec<KeyShareEntry<'_>> = shares
                .map(|share| KeyShareEntry {
                    group: share.group().id(),
                    exchange: share.public(),
                })
                .collect();
            extensions.push_client_shares(&shares);
        }
        extensions
    }

    /// Anybody can make these; at most three different hellos leave, and each may still be answered.
    pub(in crate::handshake) fn weigh_verify_request(
        &self,
        look: &Look<'_>,
        request: &HelloVerifyRequest<'_>,
    ) -> Result<Accepted, Refusal> {
        self.check_number(look)?;
        let known = self
            .hellos
            .iter()
            .any(|hello| hello.cookie == request.cookie);
        // RFC 9147 §5.1: only a server of 1.2 asks so.
        if !speaks(look.config, Version::Dtls12) {
            return Err(Refusal::doubt(AlertDescription::PROTOCOL_VERSION));
        }
        if known || self.hellos.len() >= MAX_HELLOS {
            return Err(Refusal::Ignore);
        }
        let cookie = request.cookie.to_vec();
        Ok(Accepted::Verify { cookie })
    }

    pub(in crate::handshake) fn weigh(
        &self,
        look: &Look<'_>,
        hello: &ServerHello<'_>,
        body: &[u8],
    ) -> Result<Accepted, Refusal> {
        let index = self.check_number(look)?;
        let answered = self.hellos.get(index);
        let answered = answered.ok_or(Refusal::doubt(AlertDescription::UNEXPECTED_MESSAGE))?;
        let illegal = Refusal::doubt(AlertDescription::ILLEGAL_PARAMETER);
        if hello.compression_method != 0 || hello.version != record::VERSION {
            return Err(match hello.compression_method {
                0 => Refusal::doubt(AlertDescription::PROTOCOL_VERSION),
                _ => illegal,
            });
        }
        let new = speaks(look.config, Version::Dtls13);
        match hello.extensions.selected_version()? {
            // RFC 8446 §4.2.1: it names only what was offered, and only versions that it decides.
            Some(version) if !new || version != Version::Dtls13.id() => Err(match new {
                true => illegal,
                false => Refusal::doubt(AlertDescription::UNSUPPORTED_EXTENSION),
            }),
            Some(_) if hello.random == negotiate::RETRY_RANDOM => {
                self.weigh_retry(look, answered, hello, body)
            }
            Some(_) => self.weigh_1_3(look, index, answered, hello),
            None if !speaks(look.config, Version::Dtls12) => {
                Err(Refusal::doubt(AlertDescription::PROTOCOL_VERSION))
            }
            // RFC 8446 §4.1.4: behind a HelloRetryRequest the version is fixed.
            None if answered.retry.is_some() => Err(illegal),
            None => self.weigh_1_2(look, index, hello),
        }
    }

    fn weigh_1_2(
        &self,
        look: &Look<'_>,
        index: usize,
        hello: &ServerHello<'_>,
    ) -> Result<Accepted, Refusal> {
        let config = look.config;
        negotiate::check_downgrade(config, &hello.random)?;
        let suite = check_suite(look, hello.cipher_suite, Version::Dtls12)?;
        let extensions = &hello.extensions;
        negotiate::check_allowed(Place::ServerHello12, extensions)?;
        negotiate::check_offered(config, extensions)?;
        negotiate::check_point_formats(extensions)?;
        // RFC 5746 §3.4: in a first handshake it must be empty.
        let renegotiation = extensions.get(extension::RENEGOTIATION_INFO);
        let first = renegotiation.is_none_or(|info| info == negotiate::EMPTY_RENEGOTIATION_INFO);
        let extended = extensions.get(extension::EXTENDED_MASTER_SECRET);
        let unbound = extended.is_none() && config.require_extended_master_secret;
        if !first || unbound {
            return Err(Refusal::doubt(AlertDescription::HANDSHAKE_FAILURE));
        }
        if extended.is_some_and(|body| !body.is_empty()) {
            return Err(Refusal::doubt(AlertDescription::DECODE_ERROR));
        }
        let negotiated = Negotiated {
            version: Version::Dtls12,
            suite,
            client_random: self.random,
            server_random: hello.random,
            extended_master_secret: extended.is_some(),
            srtp_profile: negotiate::check_srtp_answer(config, extensions)?,
            alpn: negotiate::check_alpn_answer(config, extensions)?,
        };
        Ok(Accepted::V12 {
            hello: index,
            negotiated,
        })
    }

    /// RFC 8446 §4.1.4: it must ask for something that would change the hello.
    fn weigh_retry(
        &self,
        look: &Look<'_>,
        answered: &Hello,
        hello: &ServerHello<'_>,
        body: &[u8],
    ) -> Result<Accepted, Refusal> {
        let illegal = Refusal::doubt(AlertDescription::ILLEGAL_PARAMETER);
        let same = |retry: &Retry| retry.body == body && retry.answered == look.sequence;
        let known = self
            .hellos
            .iter()
            .filter_map(|hello| hello.retry.as_ref())
            .any(same);
        if known || self.hellos.len() >= MAX_HELLOS {
            return Err(Refusal::Ignore);
        }
        if answered.retry.is_some() {
            return Err(Refusal::doubt(AlertDescription::UNEXPECTED_MESSAGE));
        }
        let suite = self.check_hello_1_3(look, answered, hello)?;
        negotiate::check_allowed(Place::HelloRetryRequest, &hello.extensions)?;
        let group = match hello.extensions.wanted_group()? {
            Some(id) => {
                let group = Group::from_id(id).filter(|group| look.config.groups.contains(group));
                // One that a share was sent for would change nothing.
                let group = group.filter(|group| self.find_share(answered, *group).is_none());
                Some(group.ok_or(illegal)?)
            }
            None => None,
        };
        let cookie = hello.extensions.cookie()?.unwrap_or_default().to_vec();
        if group.is_none() && cookie.is_empty() {
            return Err(illegal);
        }
        // It goes out with each transmission of the hello that it asks for, and anybody can have made it.
        if cookie.len() > MAX_COOKIE {
            return Err(Refusal::doubt(AlertDescription::HANDSHAKE_FAILURE));
        }
        Ok(Accepted::Retry(Retry {
            answered: look.sequence,
            body: body.to_vec(),
            suite,
            group,
            cookie,
        }))
    }

    fn weigh_1_3(
        &self,
        look: &Look<'_>,
        index: usize,
        answered: &Hello,
        hello: &ServerHello<'_>,
    ) -> Result<Accepted, Refusal> {
        let illegal = Refusal::doubt(AlertDescription::ILLEGAL_PARAMETER);
        let suite = self.check_hello_1_3(look, answered, hello)?;
        negotiate::check_allowed(Place::ServerHello13, &hello.extensions)?;
        let share = hello.extensions.server_share()?;
        let share = share.ok_or(Refusal::doubt(AlertDescription::MISSING_EXTENSION))?;
        let group = Group::from_id(share.group).ok_or(illegal)?;
        let ours = self.find_share(answered, group).ok_or(illegal)?;
        if answered
            .retry
            .as_ref()
            .is_some_and(|retry| retry.suite != suite)
        {
            return Err(illegal);
        }
        Ok(Accepted::V13 {
            hello: index,
            negotiated: Negotiated {
                version: Version::Dtls13,
                suite,
                client_random: self.random,
                server_random: hello.random,
                extended_master_secret: true,
                srtp_profile: None,
                alpn: None,
            },
            share: ours,
            exchange: share.exchange.to_vec(),
        })
    }

    /// What a ServerHello and a HelloRetryRequest of 1.3 have in common; the suite.
    fn check_hello_1_3(
        &self,
        look: &Look<'_>,
        answered: &Hello,
        hello: &ServerHello<'_>,
    ) -> Result<CipherSuite, Refusal> {
        // RFC 9147 §5.1: whoever asked with a HelloVerifyRequest does not speak 1.3.
        if !hello.session_id.is_empty() || !answered.cookie.is_empty() {
            return Err(Refusal::doubt(AlertDescription::ILLEGAL_PARAMETER));
        }
        check_suite(look, hello.cipher_suite, Version::Dtls13)
    }

    fn find_share(&self, hello: &Hello, group: Group) -> Option<usize> {
        let mut shares = hello.shares.iter().copied();
        shares.find(|index| {
            self.shares
                .get(*index)
                .is_some_and(|it| it.group() == group)
        })
    }

    /// Every answer has the number of the hello that it answers, whatever came between.
    fn check_number(&self, look: &Look<'_>) -> Result<usize, Refusal> {
        let number = usize::from(look.sequence);
        match number < self.hellos.len() {
            true => Ok(number),
            false => Err(Refusal::doubt(AlertDescription::UNEXPECTED_MESSAGE)),
        }
    }

    pub(in crate::handshake) fn take(
        mut self: Box<Self>,
        work: &mut Work<'_>,
        accepted: Accepted,
    ) -> Result<Next, Fault> {
        let internal = Fault::new(AlertDescription::INTERNAL_ERROR);
        match accepted {
            Accepted::Verify { cookie } => {
                work.outgoing.resume();
                let shares = (0..self.shares.len()).take(FIRST_SHARES).collect();
                self.say_hello(work, &cookie, shares, None);
                Ok(Next::Wait(self))
            }
            Accepted::Retry(retry) => {
                let shares = match retry.group {
                    Some(group) => {
                        self.shares
                            .push(Share::generate(group, &[]).ok_or(internal)?);
                        vec![self.shares.len() - 1]
                    }
                    None => {
                        let answered = self.hellos.get(usize::from(retry.answered));
                        answered.ok_or(internal)?.shares.clone()
                    }
                };
                work.outgoing.resume();
                self.say_hello(work, &[], shares, Some(retry));
                Ok(Next::Wait(self))
            }
            Accepted::V12 { hello, negotiated } => {
                let answered = self.hellos.get(hello).ok_or(internal)?;
                // RFC 6347 §4.2.6: a hello that was answered with a HelloVerifyRequest does not count.
                let (kind, sequence) = (Kind::ClientHello, work.sequence);
                work.transcript.add_message(kind, sequence, &answered.body);
                work.hear_hello(Kind::ServerHello);
                work.settle_hello();
                Ok(Next::V12(negotiated))
            }
            Accepted::V13 {
                hello,
                negotiated,
                share,
                exchange,
            } => {
                self.transcribe(work, hello, negotiated.suite)
                    .ok_or(internal)?;
                if share >= self.shares.len() {
                    return Err(internal);
                }
                let share = self.shares.swap_remove(share);
                // Those that are not answered, with which it may have its key pair in common.
                self.shares.clear();
                let group = share.group();
                let shared = share.agree(&exchange);
                let shared = shared.ok_or(Fault::new(AlertDescription::ILLEGAL_PARAMETER))?;
                work.outgoing.answered();
                Ok(Next::V13 {
                    negotiated,
                    group,
                    shared,
                })
            }
        }
    }

    /// RFC 8446 §4.4.1: the hello that was answered, behind what asked for it, and the answer.
    fn transcribe(&self, work: &mut Work<'_>, hello: usize, suite: CipherSuite) -> Option<()> {
        work.transcript.set_style(Style::Tls);
        let answered = self.hellos.get(hello)?;
        if let Some(retry) = &answered.retry {
            let first = self.hellos.get(usize::from(retry.answered))?;
            let hash = hello_hash(suite, &first.body);
            work.transcript.add_message_hash(hash.as_ref());
            work.transcript
                .add_message(Kind::ServerHello, 0, &retry.body);
        }
        work.transcript
            .add_message(Kind::ClientHello, 0, &answered.body);
        work.hear_hello(Kind::ServerHello);
        work.settle_hello();
        Some(())
    }
}

impl Work<'_> {
    /// RFC 6347 §4.2.2: numbers go on from the hello that was answered.
    fn settle_hello(&mut self) {
        self.outgoing.number_from(self.sequence.saturating_add(1));
    }
}

fn speaks(config: &crate::Config, version: Version) -> bool {
    config.versions.contains(&version)
}

/// A suite of this version that we offered.
fn check_suite(look: &Look<'_>, id: u16, version: Version) -> Result<CipherSuite, Refusal> {
    let suite = CipherSuite::from_id(id).filter(|suite| suite.version() == version);
    let suite = suite.filter(|suite| look.config.cipher_suites.contains(suite));
    suite.ok_or(Refusal::doubt(AlertDescription::ILLEGAL_PARAMETER))
}

/// Several times what servers make.
const MAX_COOKIE: usize = 2 << 10;
/// The first, and two that somebody asked for.
const MAX_HELLOS: usize = 3;
/// The best group, and one for who does not know it.
const FIRST_SHARES: usize = 2;
