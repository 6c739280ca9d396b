//! jsep, dtls and datachannel: who they are and who begins.

use std::sync::Arc;

use oxirtc_datachannel as datachannel;
use oxirtc_dtls as dtls;
use oxirtc_jsep as jsep;

use crate::{
    Certificate, DtlsGroup, DtlsVersion, Settings, SrtpProfile, dtls::Chosen, key_log::KeyLogger,
    label::Label,
};

/// How the associations of a connection behave.
pub(in crate::engine) fn dtls_config(
    certificate: &Certificate,
    settings: &Settings,
    label: Label,
) -> dtls::Config {
    let config = dtls::Config::new(certificate.inner().clone()).label(&label.to_string());
    let config = chosen(&settings.dtls, config);
    match &settings.key_log {
        Some(log) => config.key_log(Arc::new(Handed(log.clone()))),
        None => config,
    }
}

fn chosen(chosen: &Chosen, mut config: dtls::Config) -> dtls::Config {
    if !chosen.versions.is_empty() {
        let versions = chosen.versions.iter().map(|it| match it {
            DtlsVersion::Dtls13 => dtls::Version::Dtls13,
            DtlsVersion::Dtls12 => dtls::Version::Dtls12,
        });
        config = config.versions(&versions.collect::<Vec<_>>());
    }
    if !chosen.groups.is_empty() {
        let groups = chosen.groups.iter().map(|it| match it {
            DtlsGroup::X25519MlKem768 => dtls::Group::X25519MlKem768,
            DtlsGroup::X25519 => dtls::Group::X25519,
            DtlsGroup::P256 => dtls::Group::P256,
            DtlsGroup::P384 => dtls::Group::P384,
        });
        config = config.groups(&groups.collect::<Vec<_>>());
    }
    if !chosen.srtp_profiles.is_empty() {
        let profiles = chosen.srtp_profiles.iter().map(|it| match it {
            SrtpProfile::AeadAes128Gcm => dtls::SrtpProfile::AeadAes128Gcm,
            SrtpProfile::AeadAes256Gcm => dtls::SrtpProfile::AeadAes256Gcm,
            SrtpProfile::Aes128CmSha1_80 => dtls::SrtpProfile::Aes128CmSha1_80,
            SrtpProfile::Aes128CmSha1_32 => dtls::SrtpProfile::Aes128CmSha1_32,
        });
        config = config.srtp_profiles(&profiles.collect::<Vec<_>>());
    }
    config
}

/// Secrets that DTLS hands on.
struct Handed(KeyLogger);

impl dtls::KeyLog for Handed {
    fn log(&self, label: &str, client_random: &[u8; 32], secret: &[u8]) {
        self.0.0.log(label, client_random, secret);
    }

    fn log_shared_secret(&self, client_random: &[u8; 32], secret: &[u8]) {
        self.0.0.log_shared_secret(client_random, secret);
    }
}

/// The role in DTLS, and with it the parity of channel ids (RFC 8832 §6).
pub(in crate::engine) fn dtls_role(role: jsep::DtlsRole) -> (dtls::Role, datachannel::Role) {
    match role {
        jsep::DtlsRole::Client => (dtls::Role::Client, datachannel::Role::Client),
        jsep::DtlsRole::Server => (dtls::Role::Server, datachannel::Role::Server),
    }
}

/// The same for a role of DTLS.
pub(in crate::engine) fn channel_role(role: dtls::Role) -> datachannel::Role {
    match role {
        dtls::Role::Client => datachannel::Role::Client,
        dtls::Role::Server => datachannel::Role::Server,
    }
}

pub(in crate::engine) fn fingerprint(fingerprint: &jsep::Fingerprint) -> dtls::Fingerprint {
    let algorithm = match fingerprint.algorithm.as_str() {
        "sha-1" => dtls::HashAlgorithm::Sha1,
        "sha-256" => dtls::HashAlgorithm::Sha256,
        "sha-384" => dtls::HashAlgorithm::Sha384,
        "sha-512" => dtls::HashAlgorithm::Sha512,
        other => dtls::HashAlgorithm::Other(other.to_owned()),
    };
    dtls::Fingerprint::new(algorithm, fingerprint.value.clone())
}

/// What a description says of a certificate.
pub(in crate::engine) fn fingerprints(certificate: &dtls::Certificate) -> Vec<jsep::Fingerprint> {
    let fingerprint = certificate.fingerprint(&dtls::HashAlgorithm::Sha256);
    let fingerprint = fingerprint.map(|it| jsep::Fingerprint {
        algorithm: it.algorithm().to_string(),
        value: it.value().to_vec(),
    });
    fingerprint.into_iter().collect()
}
