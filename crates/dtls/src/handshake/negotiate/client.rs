use crate::{
    AlertDescription, CipherSuite, SrtpProfile,
    handshake::{self, Fault, Look, Negotiated, Refusal, Work, negotiate, v12},
    message::{ClientHello, Extensions, HelloVerifyRequest, Kind, Message, ServerHello, extension},
    record,
};

/// The client has said its hello, once or more often: which of them is answered decides what counts.
pub(in crate::handshake) struct ExpectServerHello {
    random: [u8; 32],
    /// By number.
    hellos: Vec<Hello>,
}

/// One ClientHello that left.
struct Hello {
    /// As the server sees it.
    body: Vec<u8>,
    cookie: Vec<u8>,
}

/// What a server answers.
pub(in crate::handshake) enum Accepted {
    /// A HelloVerifyRequest with a cookie that is new.
    Verify { cookie: Vec<u8> },
    /// The ServerHello of 1.2 that answers this hello.
    V12 {
        hello: usize,
        negotiated: Negotiated,
    },
}

/// The client's first flight.
pub(in crate::handshake) fn start(work: &mut Work<'_>) -> ExpectServerHello {
    let mut step = ExpectServerHello {
        random: work.random(),
        hellos: Vec::new(),
    };
    work.flight.begin(true);
    step.say_hello(work, &[]);
    step
}

impl ExpectServerHello {
    fn say_hello(&mut self, work: &mut Work<'_>, cookie: &[u8]) {
        let config = work.config;
        let mut extensions = Extensions::default();
        let groups: Vec<u16> = config.groups.iter().map(|group| group.id()).collect();
        extensions.push_numbers(extension::SUPPORTED_GROUPS, &groups);
        let formats = &negotiate::UNCOMPRESSED_POINTS[..];
        extensions.push(extension::EC_POINT_FORMATS, formats);
        let schemes = negotiate::schemes(config);
        extensions.push_numbers(extension::SIGNATURE_ALGORITHMS, &schemes);
        extensions.push(extension::EXTENDED_MASTER_SECRET, &[][..]);
        let first = &negotiate::EMPTY_RENEGOTIATION_INFO[..];
        extensions.push(extension::RENEGOTIATION_INFO, first);
        if !config.srtp_profiles.is_empty() {
            let profiles = config.srtp_profiles.iter().copied().map(SrtpProfile::id);
            extensions.push_use_srtp(&profiles.collect::<Vec<_>>());
        }
        if !config.alpn.is_empty() {
            extensions.push_alpn(config.alpn.iter().map(String::as_bytes));
        }
        let suites = config.cipher_suites.iter().map(|suite| suite.id());
        let hello = ClientHello {
            version: record::VERSION,
            random: self.random,
            session_id: &[],
            cookie,
            cipher_suites: suites.collect(),
            compression_methods: &[0],
            extensions,
        };
        let body = work.say_untranscribed(&Message::ClientHello(hello));
        self.hellos.push(Hello {
            body,
            cookie: cookie.to_vec(),
        });
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
    ) -> Result<Accepted, Refusal> {
        let answered = self.check_number(look)?;
        let config = look.config;
        if hello.version != record::VERSION {
            return Err(Refusal::doubt(AlertDescription::PROTOCOL_VERSION));
        }
        let illegal = Refusal::doubt(AlertDescription::ILLEGAL_PARAMETER);
        let suite = CipherSuite::from_id(hello.cipher_suite);
        let suite = suite
            .filter(|suite| config.cipher_suites.contains(suite))
            .ok_or(illegal)?;
        if hello.compression_method != 0 {
            return Err(illegal);
        }
        let extensions = &hello.extensions;
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
            suite,
            client_random: self.random,
            server_random: hello.random,
            extended_master_secret: extended.is_some(),
            srtp_profile: negotiate::check_srtp_answer(config, extensions)?,
            alpn: negotiate::check_alpn_answer(config, extensions)?,
        };
        Ok(Accepted::V12 {
            hello: answered,
            negotiated,
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
    ) -> Result<handshake::Step, Fault> {
        match accepted {
            Accepted::Verify { cookie } => {
                work.flight.resume();
                self.say_hello(work, &cookie);
                Ok(handshake::Step::ServerHello(self))
            }
            Accepted::V12 { hello, negotiated } => {
                let internal = Fault::new(AlertDescription::INTERNAL_ERROR);
                let answered = self.hellos.get(hello).ok_or(internal)?;
                // RFC 6347 §4.2.6: a hello that was answered with a HelloVerifyRequest does not count.
                let (kind, sequence) = (Kind::ClientHello, work.sequence);
                work.transcript.add_message(kind, sequence, &answered.body);
                work.hear_hello(Kind::ServerHello);
                // RFC 6347 §4.2.2: numbers go on from the hello that was answered.
                work.flight.number_from(sequence.saturating_add(1));
                Ok(v12::client::start(negotiated))
            }
        }
    }
}

/// The first, and two that somebody asked for.
const MAX_HELLOS: usize = 3;
