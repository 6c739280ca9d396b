use crate::{
    AlertDescription, Group, Role, SignatureScheme, SrtpProfile, Version,
    crypto::key::{PublicKey, Signed},
    handshake::{
        negotiate::{self, Place},
        proof,
        session::{Secrets, Session},
        signing::{self, Signing},
        v13::{keyed::Keyed, schedule},
        work::{Fault, Look, PeerCertificate, Refusal, Work},
    },
    message::{CertificateRequest13, EncryptedExtensions, extension},
    outgoing::Ends,
    record::APPLICATION_EPOCH,
};

pub(in crate::handshake) struct ExpectEncryptedExtensions {
    pub(super) keyed: Keyed,
    pub(super) group: Group,
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
    secrets: schedule::Secrets,
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

/// What follows the server's Finished.
pub(super) enum Last {
    Complete(Box<Session>),
    Sign(Signing, Box<SignedFlight>),
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

    pub(super) fn take(mut self, answers: Answers) -> ExpectCertificateRequest {
        self.keyed.negotiated.srtp_profile = answers.srtp_profile;
        self.keyed.negotiated.alpn = answers.alpn;
        ExpectCertificateRequest {
            keyed: self.keyed,
            group: self.group,
        }
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

    pub(super) fn take(self, scheme: SignatureScheme) -> ExpectCertificate {
        let scheme = Some(scheme);
        ExpectCertificate {
            scheme,
            ..self.pass()
        }
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
    pub(super) fn take(
        self,
        work: &mut Work<'_>,
        certificate: PeerCertificate,
    ) -> ExpectCertificateVerify {
        work.trust.set_chain(certificate.chain);
        ExpectCertificateVerify {
            keyed: self.keyed,
            group: self.group,
            scheme: self.scheme,
            key: certificate.key,
        }
    }
}

impl ExpectCertificateVerify {
    pub(super) fn take(self, signed: Signed) -> ExpectFinished {
        ExpectFinished {
            keyed: self.keyed,
            group: self.group,
            scheme: self.scheme,
            signed,
        }
    }
}

impl ExpectFinished {
    pub(super) fn take(
        self,
        work: &mut Work<'_>,
        finished: proof::Finished,
    ) -> Result<Last, Fault> {
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
            return flight.end(work).map(Last::Complete);
        };
        let pending = work.say_certificate(&flight.keyed, scheme, Role::Client);
        let flight = SignedFlight { flight, scheme };
        Ok(Last::Sign(signing::sign(work, pending)?, Box::new(flight)))
    }
}

impl SignedFlight {
    pub(super) fn resume(
        self,
        work: &mut Work<'_>,
        signature: &[u8],
    ) -> Result<Box<Session>, Fault> {
        work.say_verify(self.scheme, signature);
        self.flight.end(work)
    }
}

impl LastFlight {
    fn end(self, work: &mut Work<'_>) -> Result<Box<Session>, Fault> {
        work.say_finished(&self.keyed, &self.keyed.client)?;
        work.install_read(APPLICATION_EPOCH, &self.secrets.read)?;
        work.install_write(APPLICATION_EPOCH, &self.secrets.write)?;
        let session = Session::new(
            self.keyed.negotiated,
            self.group,
            Secrets::V13(Box::new(self.secrets)),
            proof::Identity::Signed(self.signed),
            self.finished,
        );
        Ok(Box::new(session))
    }
}
