//! A call between a fresh tab and a fresh connection of ours.

use oxirtc_peerconnection::{
    BundlePolicy, Certificate, Configuration, DataChannel, DataChannelInit, KeyAlgorithm,
    PeerConnectionState,
    engine::{DtlsGroup, DtlsVersion, Settings},
};
use serde_json::{Value, json};

use super::browser::Tab;
use super::coturn::server::{HOST, PASSWORD, Transport};
use super::peer::{Negotiation, PATIENCE, Peer, Told, soon};
use super::suite::Suite;

/// Who makes the offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Browser,
    Us,
}

/// How a call is set up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) negotiation: Negotiation,
    /// The browser sends back what it gets.
    pub(crate) echo: bool,
    /// Both ends have `max-bundle`.
    pub(crate) bundled: bool,
    /// Both certificates are RSA-2048.
    pub(crate) rsa: bool,
    /// We speak DTLS 1.2 alone.
    pub(crate) old: bool,
    /// Keys are agreed on with this group alone.
    pub(crate) group: Option<DtlsGroup>,
    /// The tab before this one stays open.
    pub(crate) beside: bool,
    /// Whose candidates the other side is told; in descriptions, without trickling.
    pub(crate) told: Told,
    pub(crate) relays: Option<Relays>,
}

/// A relay for the browser, of a coturn that the test has started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Relays {
    /// How it is reached.
    pub(crate) way: Transport,
    /// We have one as well.
    pub(crate) ours: bool,
    /// The browser uses nothing else.
    pub(crate) only: bool,
}

/// Both ends.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) tab: Tab,
    pub(crate) peer: Peer,
    /// The browser uses relays alone.
    pub(crate) relayed: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            negotiation: Negotiation::default(),
            echo: false,
            bundled: false,
            rsa: false,
            old: false,
            group: None,
            beside: false,
            told: Told::Both,
            relays: None,
        }
    }
}

impl Call {
    /// Signalling is up on both sides; nobody has offered yet.
    pub(crate) async fn start(suite: &Suite, setup: Setup) -> anyhow::Result<Self> {
        let versions: &[DtlsVersion] = if setup.old {
            &[DtlsVersion::Dtls12]
        } else {
            &[]
        };
        let settings = Settings::default().dtls_versions(versions);
        let settings = match setup.group {
            Some(group) => settings.dtls_groups(&[group]),
            None => settings,
        };
        Self::start_with(suite, setup, settings).await
    }

    /// The same, with settings of our own.
    pub(crate) async fn start_with(
        suite: &Suite,
        setup: Setup,
        settings: Settings,
    ) -> anyhow::Result<Self> {
        suite.server.forget().await;
        let url = suite.server.url();
        let tab = if setup.beside {
            suite.browser.open_beside(&url).await?
        } else {
            suite.browser.open(&url).await?
        };
        let mut configuration = Configuration::default();
        if setup.bundled {
            configuration.bundle_policy = BundlePolicy::MaxBundle;
        }
        if setup.rsa {
            #[expect(
                clippy::disallowed_methods,
                reason = "a certificate begins now, and this is a program"
            )]
            let now = std::time::SystemTime::now();
            let certificate = Certificate::generate_at(KeyAlgorithm::Rsa2048, now, None)?;
            configuration.certificates.push(certificate);
        }
        let mut options = json!({ "trickle": setup.negotiation.trickle, "echo": setup.echo, "rsa": setup.rsa, "bundled": setup.bundled, "polite": !setup.negotiation.polite });
        let mut relayed = false;
        if let Some(Relays { way, ours, only }) = setup.relays {
            let server = way.server(HOST, PASSWORD);
            options["server"] =
                json!({ "urls": server.urls, "username": server.username, "credential": PASSWORD });
            options["relayed"] = json!(only);
            relayed = only;
            configuration
                .ice_servers
                .extend(Some(server).filter(|_| ours));
        }
        tab.run("await h.start(A[0])", &[options]).await?;
        let signalling = soon("the page's signalling", suite.server.accept()).await??;
        let (way, told) = (setup.negotiation, setup.told);
        let peer = Peer::start(signalling, way, told, configuration, settings)?;
        suite.watch(tab.clone(), peer.story());
        Ok(Self { tab, peer, relayed })
    }

    /// A call that is connected, with a channel of that name, which either side opened.
    pub(crate) async fn connect(
        suite: &Suite,
        setup: Setup,
        offerer: Side,
        label: &str,
    ) -> anyhow::Result<(Self, DataChannel)> {
        let call = Self::start(suite, setup).await?;
        let channel = call.channel(offerer, label, json!({})).await?;
        call.peer
            .reaches(&[PeerConnectionState::Connected], PATIENCE)
            .await?;
        Ok((call, channel))
    }

    /// Opens a channel, gives our end of it; it is open on both.
    pub(crate) async fn channel(
        &self,
        opener: Side,
        label: &str,
        options: Value,
    ) -> anyhow::Result<DataChannel> {
        let channel = match opener {
            Side::Browser => {
                self.tab
                    .run("h.open(A[0], A[1])", &[json!(label), options])
                    .await?;
                self.peer.arrived().await?
            }
            Side::Us => {
                let init: DataChannelInit = serde_json::from_value(options)?;
                self.peer.connection().create_data_channel(label, init)?
            }
        };
        soon("the channel to open", channel.opened()).await??;
        self.tab
            .run("await h.channel(A[0])", &[json!(label)])
            .await?;
        Ok(channel)
    }

    /// The browser's facts of a channel.
    pub(crate) async fn facts(&self, label: &str) -> anyhow::Result<Value> {
        self.tab.run("return h.facts(A[0])", &[json!(label)]).await
    }

    pub(crate) async fn end(self) -> anyhow::Result<()> {
        self.peer.end().await;
        self.tab.run("h.pc.close()", &[]).await?;
        Ok(())
    }
}
