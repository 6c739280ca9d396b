//! What a connection is made with: W3C's configuration, and settings of our own.

mod credential;
mod media;
mod networks;
mod server;
mod settings;

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::{Certificate, Error, ErrorKind};
pub(crate) use credential::Secret;
pub use credential::{IceCredential, OAuthCredential};
pub(crate) use media::MediaLimits;
pub use networks::IpHandling;
pub use server::IceServer;
pub(crate) use server::{Server, Service};
pub use settings::{CongestionControl, Parity, Settings};

/// `RTCConfiguration` (W3C §4.2.1).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[doc(alias = "RTCConfiguration")]
pub struct Configuration {
    /// STUN and TURN servers: `stun:`, `turn:` over UDP or TCP, `turns:`. At most 32 entries count, and of their
    /// URLs the first 16. What is set later counts from the next ICE restart on.
    pub ice_servers: Vec<IceServer>,
    /// Which candidates may be used.
    pub ice_transport_policy: IceTransportPolicy,
    /// Which sections get transports of their own before bundling is agreed on.
    pub bundle_policy: BundlePolicy,
    /// RTP and RTCP share a port.
    pub rtcp_mux_policy: RtcpMuxPolicy,
    /// The first is used. Empty: one with an ECDSA P-256 key is generated.
    #[serde(skip)]
    pub certificates: Vec<Certificate>,
    /// For how many transports candidates are gathered before a local description asks for them, eight at most; each takes sockets
    /// on all addresses, and allocations of the servers. A bundled connection uses one.
    pub ice_candidate_pool_size: u8,
}

/// `RTCIceTransportPolicy` (W3C §4.2.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[doc(alias = "RTCIceTransportPolicy")]
pub enum IceTransportPolicy {
    /// Relayed candidates only: the peer does not learn our addresses.
    Relay,
    /// All.
    #[default]
    All,
}

/// `RTCBundlePolicy` (W3C §4.2.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[doc(alias = "RTCBundlePolicy")]
pub enum BundlePolicy {
    /// A transport for each kind of media.
    #[default]
    Balanced,
    /// A transport for each section.
    MaxCompat,
    /// One transport.
    MaxBundle,
}

/// `RTCRtcpMuxPolicy` (W3C §4.2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[doc(alias = "RTCRtcpMuxPolicy")]
pub enum RtcpMuxPolicy {
    /// A peer that wants two ports is refused.
    #[default]
    Require,
    /// Of W3C's draft of 2019: a peer may have another port for RTCP. It is not supported, and answered with
    /// [`ErrorKind::NotSupported`].
    Negotiate,
}

impl Configuration {
    /// `getDefaultIceServers()`, of W3C's draft of 2019: the servers that this library knows by itself, which are none. A list that is
    /// to be used has to be set.
    pub fn default_ice_servers() -> Vec<IceServer> {
        Vec::new()
    }

    /// W3C §4.4.1.5, "set the configuration": may this one take the place of `old`?
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidModification`], [`ErrorKind::Syntax`], [`ErrorKind::InvalidAccess`], as
    /// §4.4.1.5 has them.
    pub(crate) fn check(&self, old: Option<&Self>, described: bool) -> Result<(), Error> {
        if let Some(old) = old {
            self.check_change(old, described)?;
        }
        // [4.2.7-02]
        if self.rtcp_mux_policy == RtcpMuxPolicy::Negotiate {
            let message = "RTP and RTCP always share a port";
            return Err(Error::new(ErrorKind::NotSupported, message));
        }
        // [4.2.1-05]: entries past the limit are ignored.
        self.ice_servers
            .iter()
            .take(MAX_SERVERS)
            .try_for_each(server::check)
    }

    /// The servers that its URLs name.
    pub(crate) fn servers(&self) -> Vec<Server> {
        let servers = self.ice_servers.iter().take(MAX_SERVERS);
        servers.flat_map(server::parse).collect()
    }

    fn check_change(&self, old: &Self, described: bool) -> Result<(), Error> {
        let fixed = |message: &str| Err(Error::new(ErrorKind::InvalidModification, message));
        if self.certificates != old.certificates {
            return fixed("the certificates of a connection cannot change");
        }
        if self.bundle_policy != old.bundle_policy {
            return fixed("the bundle policy of a connection cannot change");
        }
        if self.rtcp_mux_policy != old.rtcp_mux_policy {
            return fixed("the RTCP policy of a connection cannot change");
        }
        if described && self.ice_candidate_pool_size != old.ice_candidate_pool_size {
            return fixed("the pool size cannot change after a local description was set");
        }
        Ok(())
    }

    /// [4.4.1.1-03]
    pub(crate) fn check_certificates(&self, now: SystemTime) -> Result<(), Error> {
        let expired = |it: &Certificate| it.expires() < now;
        if self.certificates.iter().any(expired) {
            return Err(Error::new(
                ErrorKind::InvalidAccess,
                "a certificate has expired",
            ));
        }
        Ok(())
    }
}

const MAX_SERVERS: usize = 32;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::KeyAlgorithm;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
    }

    fn certificate() -> Certificate {
        Certificate::generate_at(KeyAlgorithm::EcdsaP256, now(), None).unwrap()
    }

    /// [4.2.1-01] [4.2.1-02] [4.2.1-04] [4.2.4-01] [4.2.4-02]
    #[test]
    fn json_is_the_browsers() {
        let empty: Configuration = serde_json::from_str("{}").unwrap();
        assert_eq!(empty, Configuration::default());
        let text = r#"{"iceServers":[{"urls":"stun:a"},{"urls":["turn:b"],"username":"u",
            "credential":"c"}],"iceTransportPolicy":"relay","bundlePolicy":"max-bundle"}"#;
        let configuration: Configuration = serde_json::from_str(text).unwrap();
        assert_eq!(configuration.ice_servers[0], IceServer::new("stun:a"));
        assert_eq!(configuration.ice_servers[1].username.as_deref(), Some("u"));
        assert_eq!(
            configuration.ice_transport_policy,
            IceTransportPolicy::Relay
        );
        assert_eq!(configuration.bundle_policy, BundlePolicy::MaxBundle);
        for wrong in [
            r#"{"iceServers":[{}]}"#,
            r#"{"iceCandidatePoolSize":256}"#,
            r#"{"iceCandidatePoolSize":-1}"#,
            r#"{"rtcpMuxPolicy":"none"}"#,
            r#"{"bundlePolicy":"none"}"#,
        ] {
            assert!(
                serde_json::from_str::<Configuration>(wrong).is_err(),
                "{wrong}"
            );
        }
    }

    /// [4.4.1.7-01] [4.4.1.7-02] [4.4.1.7-03] [4.4.1.7-04] [4.2.6-05] [4.2.7-03]
    #[test]
    fn what_is_fixed_cannot_change() {
        let old = Configuration {
            certificates: vec![certificate()],
            ..Configuration::default()
        };
        let refused = |new: &Configuration, described| {
            let error = new.check(Some(&old), described).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidModification);
        };
        assert_eq!(old.check(Some(&old), true), Ok(()));
        refused(&Configuration::default(), false);
        refused(
            &Configuration {
                certificates: vec![certificate()],
                ..old.clone()
            },
            false,
        );
        refused(
            &Configuration {
                bundle_policy: BundlePolicy::MaxBundle,
                ..old.clone()
            },
            false,
        );
        refused(
            &Configuration {
                rtcp_mux_policy: RtcpMuxPolicy::Negotiate,
                ..old.clone()
            },
            false,
        );
        let pooled = Configuration {
            ice_candidate_pool_size: 1,
            ..old.clone()
        };
        refused(&pooled, true);
        assert_eq!(pooled.check(Some(&old), false), Ok(()));
    }

    /// [4.2.7-02] [4.4.2-61]
    #[test]
    fn what_the_draft_of_2019_allowed_is_answered() {
        let text = r#"{"rtcpMuxPolicy":"negotiate"}"#;
        let it: Configuration = serde_json::from_str(text).unwrap();
        assert_eq!(it.rtcp_mux_policy, RtcpMuxPolicy::Negotiate);
        let error = it.check(None, false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotSupported);
        assert_eq!(Configuration::default_ice_servers(), []);
    }

    /// [4.4.1.1-03]
    #[test]
    fn an_expired_certificate_is_refused() {
        let it = Configuration {
            certificates: vec![certificate()],
            ..Configuration::default()
        };
        let end = now() + Duration::from_secs(30 * 24 * 3600);
        assert_eq!(it.check_certificates(end), Ok(()));
        // At once, and not a second later.
        let late = end + Duration::from_millis(1);
        let error = it.check_certificates(late).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidAccess);
    }

    #[test]
    fn the_credential_is_not_printed() {
        let server = IceServer::with_credential("turn:a", "u", "secret");
        assert!(!format!("{server:?}").contains("secret"));
    }
}
