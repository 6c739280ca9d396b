//! What the states of both sides need behind the ServerHello: keys, what is said with them, and the proofs.

use crate::{
    AlertDescription, Role, SignatureScheme, Version,
    crypto::key::{PublicKey, Signed},
    handshake::{
        negotiate::{self, Place},
        proof,
        session::Negotiated,
        signing::Pending,
        transcript::Transcript,
        v13::schedule::{
            self, CLIENT_APPLICATION, CLIENT_HANDSHAKE, ExporterSecret, SERVER_APPLICATION,
            SERVER_HANDSHAKE, Schedule, Secrets, Traffic,
        },
        work::{Fault, Look, PeerCertificate, Refusal, Work},
    },
    keylog,
    message::{Certificate13, CertificateEntry, CertificateVerify, Extensions, Finished, Message},
    record::HANDSHAKE_EPOCH,
};

/// What both sides have behind the ServerHello.
pub(super) struct Keyed {
    pub(super) negotiated: Negotiated,
    schedule: Schedule,
    pub(super) client: Traffic,
    pub(super) server: Traffic,
}

impl Keyed {
    /// Behind the ServerHello, which is in the transcript: the keys of epoch 2.
    pub(super) fn new(
        work: &mut Work<'_>,
        negotiated: Negotiated,
        shared: &[u8],
        role: Role,
    ) -> Result<Self, Fault> {
        work.transcript.begin_hash(negotiated.suite);
        let keyed = Self::derive(work.transcript, negotiated, shared);
        let keyed = keyed.ok_or(Fault::new(AlertDescription::INTERNAL_ERROR))?;
        let random = &keyed.negotiated.client_random;
        work.log_shared_secret(random, shared);
        work.log_key(keylog::CLIENT_HANDSHAKE, random, keyed.client.secret());
        work.log_key(keylog::SERVER_HANDSHAKE, random, keyed.server.secret());
        let (write, read) = match role {
            Role::Client => (&keyed.client, &keyed.server),
            Role::Server => (&keyed.server, &keyed.client),
        };
        work.records.set_version(Version::Dtls13);
        // RFC 9147 §5.2: behind the ServerHello every message is protected.
        work.reassembly.forget_clear();
        work.install_read(HANDSHAKE_EPOCH, read)?;
        work.install_write(HANDSHAKE_EPOCH, write)?;
        Ok(keyed)
    }

    /// The secrets of epoch 2, of what was said up to the ServerHello.
    pub(super) fn derive(
        transcript: &Transcript,
        negotiated: Negotiated,
        shared: &[u8],
    ) -> Option<Self> {
        let schedule = Schedule::new(negotiated.suite, schedule::DTLS_PREFIX);
        let schedule = schedule.advance(Some(shared))?;
        let hash = transcript.hash(negotiated.suite);
        Some(Self {
            client: schedule.traffic(CLIENT_HANDSHAKE, hash.as_ref())?,
            server: schedule.traffic(SERVER_HANDSHAKE, hash.as_ref())?,
            negotiated,
            schedule,
        })
    }

    /// Behind the server's Finished, which is in the transcript: the secrets of epoch 3.
    pub(super) fn secrets(&self, work: &Work<'_>, role: Role) -> Result<Secrets, Fault> {
        let secrets = self.derive_application(work.transcript);
        let secrets = secrets.ok_or(Fault::new(AlertDescription::INTERNAL_ERROR));
        let (client, server, exporter) = secrets?;
        let random = &self.negotiated.client_random;
        work.log_key(keylog::CLIENT_TRAFFIC, random, client.secret());
        work.log_key(keylog::SERVER_TRAFFIC, random, server.secret());
        work.log_key(keylog::EXPORTER, random, exporter.secret());
        let (write, read) = match role {
            Role::Client => (client, server),
            Role::Server => (server, client),
        };
        Ok(Secrets {
            exporter,
            read,
            write,
        })
    }

    /// Of the client, of the server, and for the exporter.
    pub(super) fn derive_application(
        &self,
        transcript: &Transcript,
    ) -> Option<(Traffic, Traffic, ExporterSecret)> {
        let hash = transcript.hash(self.negotiated.suite);
        let master = self.schedule.advance(None)?;
        let client = master.traffic(CLIENT_APPLICATION, hash.as_ref())?;
        let server = master.traffic(SERVER_APPLICATION, hash.as_ref())?;
        Some((client, server, master.exporter(hash.as_ref())?))
    }
}

impl Work<'_> {
    pub(super) fn install_read(&mut self, epoch: u16, traffic: &Traffic) -> Result<(), Fault> {
        let keys = traffic.keys();
        let keys = keys.ok_or(Fault::new(AlertDescription::INTERNAL_ERROR))?;
        self.records.install_read(epoch, keys);
        Ok(())
    }

    pub(super) fn install_write(&mut self, epoch: u16, traffic: &Traffic) -> Result<(), Fault> {
        let keys = traffic.keys();
        let keys = keys.ok_or(Fault::new(AlertDescription::INTERNAL_ERROR))?;
        self.records.install_write(epoch, keys);
        Ok(())
    }

    /// Our certificate, and what is to be signed next to show that its key is ours.
    pub(super) fn say_certificate(
        &mut self,
        keyed: &Keyed,
        scheme: SignatureScheme,
        role: Role,
    ) -> Pending {
        let chain = self.config.certificate.chain().iter();
        let entries = chain.map(|der| CertificateEntry {
            certificate: der,
            extensions: Extensions::default(),
        });
        let certificate = Certificate13 {
            context: &[],
            entries: entries.collect(),
        };
        self.say(HANDSHAKE_EPOCH, &Message::Certificate13(certificate));
        let context = match role {
            Role::Client => CLIENT_CONTEXT,
            Role::Server => SERVER_CONTEXT,
        };
        let hash = self.transcript.hash(keyed.negotiated.suite);
        Pending {
            version: Version::Dtls13,
            scheme,
            message: signed(context, hash.as_ref()),
        }
    }

    pub(super) fn say_verify(&mut self, scheme: SignatureScheme, signature: &[u8]) {
        let verify = CertificateVerify {
            scheme: scheme.id(),
            signature,
        };
        self.say(HANDSHAKE_EPOCH, &Message::CertificateVerify(verify));
    }

    pub(super) fn say_finished(&mut self, keyed: &Keyed, traffic: &Traffic) -> Result<(), Fault> {
        let hash = self.transcript.hash(keyed.negotiated.suite);
        let verify_data = traffic.finished(hash.as_ref());
        let verify_data = verify_data.ok_or(Fault::new(AlertDescription::INTERNAL_ERROR))?;
        let finished = Finished {
            verify_data: &verify_data,
        };
        self.say(HANDSHAKE_EPOCH, &Message::Finished(finished));
        Ok(())
    }
}

/// RFC 8446 §4.4.2: one context, one leaf, no extension that nobody asked for.
pub(super) fn check_certificate(
    look: &Look<'_>,
    message: &Certificate13<'_>,
) -> Result<PeerCertificate, Refusal> {
    if !message.context.is_empty() {
        return Err(Refusal::doubt(AlertDescription::ILLEGAL_PARAMETER));
    }
    if message.entries.is_empty() {
        let alert = match look.role {
            Role::Server => AlertDescription::CERTIFICATE_REQUIRED,
            Role::Client => AlertDescription::DECODE_ERROR,
        };
        return Err(Refusal::doubt(alert));
    }
    for entry in &message.entries {
        negotiate::check_allowed(Place::Certificate, &entry.extensions)?;
    }
    let chain: Vec<&[u8]> = message
        .entries
        .iter()
        .map(|entry| entry.certificate)
        .collect();
    look.check_certificate(&chain)
}

pub(super) fn check_verify(
    look: &Look<'_>,
    keyed: &Keyed,
    key: &PublicKey,
    context: &[u8],
    verify: &CertificateVerify<'_>,
) -> Result<Signed, Refusal> {
    let scheme = negotiate::check_scheme(look.config, verify.scheme)?;
    // RFC 8446 §4.4.3: one that cannot be used here is wrong, not merely a signature that fails.
    if !scheme.is_allowed(Version::Dtls13) {
        return Err(Refusal::doubt(AlertDescription::ILLEGAL_PARAMETER));
    }
    let hash = look.transcript.hash(keyed.negotiated.suite);
    let message = signed(context, hash.as_ref());
    let signed = key.check_signature(Version::Dtls13, scheme, &message, verify.signature);
    signed.ok_or(Refusal::doubt(AlertDescription::DECRYPT_ERROR))
}

pub(super) fn check_finished(
    look: &Look<'_>,
    traffic: &Traffic,
    keyed: &Keyed,
    finished: &Finished<'_>,
) -> Result<proof::Finished, Refusal> {
    let hash = look.transcript.hash(keyed.negotiated.suite);
    let expected = traffic.finished(hash.as_ref());
    let expected = expected.ok_or(Refusal::doubt(AlertDescription::INTERNAL_ERROR))?;
    let proof = proof::check_finished(&expected, finished.verify_data);
    proof.ok_or(Refusal::doubt(AlertDescription::DECRYPT_ERROR))
}

/// What a CertificateVerify signs (RFC 8446 §4.4.3).
fn signed(context: &[u8], transcript: &[u8]) -> Vec<u8> {
    [&[0x20; 64][..], context, &[0], transcript].concat()
}

pub(super) const SERVER_CONTEXT: &[u8] = b"TLS 1.3, server CertificateVerify";
pub(super) const CLIENT_CONTEXT: &[u8] = b"TLS 1.3, client CertificateVerify";
