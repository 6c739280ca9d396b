use crate::{
    AlertDescription, Group, Role, SignatureScheme, SrtpProfile, Version,
    crypto::key::{PublicKey, Signed},
    handshake::{
        self, Fault, Look, PeerCertificate, Refusal, Session, Work,
        negotiate::{self, Place},
        proof,
        signing::{self, Resume},
        v13::{APPLICATION_EPOCH, Keyed, Step},
    },
    message::{CertificateRequest13, EncryptedExtensions, extension},
    outgoing::Ends,
};

pub(in crate::handshake) struct ExpectEncryptedExtensions {
    pub(super) keyed: Keyed,
    group: Group,
}

pub(in crate::handshake) struct ExpectCertificateRequest {
    keyed: Keyed,
    group: Group,
}

pub(in crate::handshake) struct ExpectCertificate {
    keyed: Keyed,
    group: Group,
    /// What we sign with; `None` where nobody asks who we are.
    scheme: Option<SignatureScheme>,
}

pub(in crate::handshake) struct ExpectCertificateVerify {
    pub(super) keyed: Keyed,
    group: Group,
    scheme: Option<SignatureScheme>,
    pub(super) key: PublicKey,
}

pub(in crate::handshake) struct ExpectFinished {
    pub(super) keyed: Keyed,
    group: Group,
    scheme: Option<SignatureScheme>,
    signed: Signed,
}

/// The end of the last flight.
struct LastFlight {
    keyed: Keyed,
    group: Group,
    signed: Signed,
    finished: proof::Finished,
    secrets: super::Secrets,
}

/// The last flight, but for its signature.
pub(in crate::handshake) struct SignedFlight {
    flight: LastFlight,
    scheme: SignatureScheme,
}

/// What EncryptedExtensions say.
pub(in crate::handshake) struct Answers {
    srtp_profile: Option<SrtpProfile>,
    alpn: Option<String>,
}

/// Behind the ServerHello.
pub(in crate::handshake) fn start(keyed: Keyed, group: Group) -> handshake::Step {
    let step = ExpectEncryptedExtensions { keyed, group };
    handshake::Step::V13(Step::EncryptedExtensions(Box::new(step)))
}

impl ExpectEncryptedExtensions {
    pub(super) fn weigh(
        look: &Look<'_>,
        message: &EncryptedExtensions<'_>,
    ) -> Result<Answers, Refusal> {
        let extensions = &message.extensions;
        negotiate::check_allowed(Place::EncryptedExtensions, extensions)?;
        negotiate::check_offered(look.config, extensions)?;
        Ok(Answers {
            srtp_profile: negotiate::check_srtp_answer(look.config, extensions)?,
            alpn: negotiate::check_alpn_answer(look.config, extensions)?,
        })
    }

    pub(super) fn take(mut self, answers: Answers) -> Step {
        self.keyed.negotiated.srtp_profile = answers.srtp_profile;
        self.keyed.negotiated.alpn = answers.alpn;
        Step::CertificateRequest(Box::new(ExpectCertificateRequest {
            keyed: self.keyed,
            group: self.group,
        }))
    }
}

impl ExpectCertificateRequest {
    pub(super) fn weigh(
        look: &Look<'_>,
        request: &CertificateRequest13<'_>,
    ) -> Result<SignatureScheme, Refusal> {
        // RFC 8446 §4.3.2: a context is for requests behind the handshake.
        if !request.context.is_empty() {
            return Err(Refusal::doubt(AlertDescription::ILLEGAL_PARAMETER));
        }
        negotiate::check_allowed(Place::CertificateRequest, &request.extensions)?;
        let schemes = request
            .extensions
            .numbers(extension::SIGNATURE_ALGORITHMS)?;
        let schemes = schemes.ok_or(Refusal::doubt(AlertDescription::MISSING_EXTENSION))?;
        let certificate = &look.config.certificate;
        let scheme = certificate.choose_scheme(Version::Dtls13, &schemes);
        scheme.ok_or(Refusal::doubt(AlertDescription::HANDSHAKE_FAILURE))
    }

    pub(super) fn take(self, scheme: SignatureScheme) -> Step {
        let scheme = Some(scheme);
        Step::ServerCertificate(Box::new(ExpectCertificate {
            scheme,
            ..self.pass()
        }))
    }

    /// Nobody asks who we are.
    pub(super) fn pass(self) -> ExpectCertificate {
        ExpectCertificate {
            keyed: self.keyed,
            group: self.group,
            scheme: None,
        }
    }
}

impl ExpectCertificate {
    pub(super) fn take(self, work: &mut Work<'_>, certificate: PeerCertificate) -> Step {
        work.trust.set_chain(certificate.chain);
        Step::ServerCertificateVerify(Box::new(ExpectCertificateVerify {
            keyed: self.keyed,
            group: self.group,
            scheme: self.scheme,
            key: certificate.key,
        }))
    }
}

impl ExpectCertificateVerify {
    pub(super) fn take(self, signed: Signed) -> Step {
        Step::ServerFinished(Box::new(ExpectFinished {
            keyed: self.keyed,
            group: self.group,
            scheme: self.scheme,
            signed,
        }))
    }
}

impl ExpectFinished {
    pub(super) fn take(
        self,
        work: &mut Work<'_>,
        finished: proof::Finished,
    ) -> Result<handshake::Step, Fault> {
        let keyed = self.keyed;
        let secrets = keyed.secrets(work, Role::Client)?;
        work.outgoing.begin(Ends::Ack, work.until);
        let flight = LastFlight {
            keyed,
            group: self.group,
            signed: self.signed,
            finished,
            secrets,
        };
        let Some(scheme) = self.scheme else {
            return flight.end(work);
        };
        let pending = work.say_certificate(&flight.keyed, scheme, Role::Client);
        let flight = SignedFlight { flight, scheme };
        signing::sign(work, pending, Resume::V13Client(Box::new(flight)))
    }
}

impl SignedFlight {
    pub(in crate::handshake) fn resume(
        self,
        work: &mut Work<'_>,
        signature: &[u8],
    ) -> Result<handshake::Step, Fault> {
        work.say_verify(self.scheme, signature);
        self.flight.end(work)
    }
}

impl LastFlight {
    fn end(self, work: &mut Work<'_>) -> Result<handshake::Step, Fault> {
        work.say_finished(&self.keyed, &self.keyed.client)?;
        work.install_read(APPLICATION_EPOCH, &self.secrets.read)?;
        work.install_write(APPLICATION_EPOCH, &self.secrets.write)?;
        let session = Session::new(
            self.keyed.negotiated,
            self.group,
            handshake::Secrets::V13(Box::new(self.secrets)),
            proof::Identity::Signed(self.signed),
            self.finished,
        );
        Ok(handshake::Step::Complete(Some(Box::new(session))))
    }
}
