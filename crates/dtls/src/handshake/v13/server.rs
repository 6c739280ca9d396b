use crate::{
    AlertDescription, Group, Peer, Role, SignatureScheme, Version,
    crypto::{
        key::{PublicKey, Signed},
        share,
    },
    handshake::{
        negotiate::{self, server::Choice13},
        proof,
        session::{self, Negotiated, Session},
        signing::{self, Signing},
        v13::{keyed::Keyed, schedule::Secrets},
        work::{Fault, PeerCertificate, Work},
    },
    message::{
        CertificateRequest13, EncryptedExtensions, Extensions, KeyShareEntry, Message, ServerHello,
        extension,
    },
    outgoing::Ends,
    record::{self, APPLICATION_EPOCH, HANDSHAKE_EPOCH},
};

pub(in crate::handshake) struct ExpectCertificate {
    keyed: Keyed,
    group: Group,
    secrets: Secrets,
}

pub(in crate::handshake) struct ExpectCertificateVerify {
    pub(super) keyed: Keyed,
    group: Group,
    secrets: Secrets,
    pub(super) key: PublicKey,
}

pub(in crate::handshake) struct ExpectFinished {
    pub(super) keyed: Keyed,
    group: Group,
    secrets: Secrets,
    identity: proof::Identity,
}

/// The server's flight, but for its signature.
pub(in crate::handshake) struct FirstFlight {
    keyed: Keyed,
    group: Group,
    scheme: SignatureScheme,
}

/// What follows that flight.
pub(super) enum Awaited {
    Certificate(ExpectCertificate),
    Finished(ExpectFinished),
}

/// Answers the ClientHello, which is in the transcript.
pub(super) fn start(
    work: &mut Work<'_>,
    choice: &Choice13,
) -> Result<(Signing, FirstFlight), Fault> {
    let answer = share::answer(choice.group, &choice.exchange);
    let (public, shared) = answer.ok_or(Fault::new(AlertDescription::ILLEGAL_PARAMETER))?;
    let negotiated = Negotiated {
        version: Version::Dtls13,
        suite: choice.suite,
        client_random: choice.client_random,
        server_random: work.random(),
        extended_master_secret: true,
        srtp_profile: choice.srtp_profile,
        alpn: choice.alpn.clone(),
    };
    work.outgoing.begin(Ends::Answer, None);
    let mut extensions = Extensions::default();
    extensions.push_selected_version(Version::Dtls13.id());
    extensions.push_server_share(KeyShareEntry {
        group: choice.group.id(),
        exchange: &public,
    });
    let hello = ServerHello {
        version: record::VERSION,
        random: negotiated.server_random,
        session_id: &[],
        cipher_suite: choice.suite.id(),
        compression_method: 0,
        extensions,
    };
    work.say(0, &Message::ServerHello(hello));
    let keyed = Keyed::new(work, negotiated, &shared, Role::Server)?;

    let mut extensions = Extensions::default();
    if let Some(profile) = choice.srtp_profile {
        extensions.push_use_srtp(&[profile.id()]);
    }
    if let Some(name) = &choice.alpn {
        extensions.push_alpn([name.as_bytes()]);
    }
    let answers = EncryptedExtensions { extensions };
    work.say(HANDSHAKE_EPOCH, &Message::EncryptedExtensions(answers));
    if work.config.peer != Peer::Nobody {
        say_request(work);
    }
    let pending = work.say_certificate(&keyed, choice.scheme, Role::Server);
    let flight = FirstFlight {
        keyed,
        group: choice.group,
        scheme: choice.scheme,
    };
    Ok((signing::sign(work, pending)?, flight))
}

fn say_request(work: &mut Work<'_>) {
    let mut extensions = Extensions::default();
    let schemes = negotiate::schemes(work.config, Some(Version::Dtls13));
    extensions.push_numbers(extension::SIGNATURE_ALGORITHMS, &schemes);
    let request = CertificateRequest13 {
        context: &[],
        extensions,
    };
    work.say(HANDSHAKE_EPOCH, &Message::CertificateRequest13(request));
}

impl FirstFlight {
    pub(super) fn resume(self, work: &mut Work<'_>, signature: &[u8]) -> Result<Awaited, Fault> {
        work.say_verify(self.scheme, signature);
        work.say_finished(&self.keyed, &self.keyed.server)?;
        let secrets = self.keyed.secrets(work, Role::Server)?;
        // For alerts and ACKs; payload waits for the client's Finished.
        work.install_write(APPLICATION_EPOCH, &secrets.write)?;
        if let Some(unasked) = proof::check_unasked(work.config.peer, Role::Server) {
            return Ok(Awaited::Finished(ExpectFinished {
                keyed: self.keyed,
                group: self.group,
                secrets,
                identity: proof::Identity::Unasked(unasked),
            }));
        }
        Ok(Awaited::Certificate(ExpectCertificate {
            keyed: self.keyed,
            group: self.group,
            secrets,
        }))
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
            secrets: self.secrets,
            key: certificate.key,
        }
    }
}

impl ExpectCertificateVerify {
    pub(super) fn take(self, signed: Signed) -> ExpectFinished {
        ExpectFinished {
            keyed: self.keyed,
            group: self.group,
            secrets: self.secrets,
            identity: proof::Identity::Signed(signed),
        }
    }
}

impl ExpectFinished {
    pub(super) fn take(
        self,
        work: &mut Work<'_>,
        finished: proof::Finished,
    ) -> Result<Box<Session>, Fault> {
        work.install_read(APPLICATION_EPOCH, &self.secrets.read)?;
        work.outgoing.answered();
        let session = Session::new(
            self.keyed.negotiated,
            self.group,
            session::Secrets::V13(Box::new(self.secrets)),
            self.identity,
            finished,
        );
        Ok(Box::new(session))
    }
}
