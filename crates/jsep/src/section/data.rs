//! Sections of data channels, and the SCTP association that they describe (RFC 8841).

use oxirtc_sdp::{Attribute, SctpMap, Writer};

use super::line::{Form, Line};
use crate::{Change, Config, DtlsRole, Sctp, TransportId, outline::Entry};

/// The SCTP association.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Association {
    pub(crate) transport: TransportId,
    /// Counts those that took each other's place on one transport.
    number: u32,
    /// Set by an answer.
    parameters: Option<Parameters>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Parameters {
    local_port: u16,
    remote_port: u16,
    max_message_size: u64,
    /// The peer's INIT chunk, when both descriptions have one.
    remote_init: Option<String>,
}

/// Whether a section has data channels, in the form of RFC 8841 or older.
pub(super) fn is(entry: &Entry) -> bool {
    entry.media == "application"
        && match entry.protocol.as_str() {
            "UDP/DTLS/SCTP" | "TCP/DTLS/SCTP" => entry
                .formats
                .split(' ')
                .any(|it| it == "webrtc-datachannel"),
            "DTLS/SCTP" => true,
            _ => false,
        }
}

/// The line of a section that we propose.
pub(super) fn line() -> Line {
    Line {
        media: "application".to_owned(),
        protocol: "UDP/DTLS/SCTP".to_owned(),
        formats: "webrtc-datachannel".to_owned(),
    }
}

pub(super) fn write(line: &Line, writer: &mut Writer, form: &Form<'_>) {
    // of drafts older than RFC 8841: the format is the SCTP port, of each end its own
    let legacy = line.protocol == "DTLS/SCTP" && line.formats != "webrtc-datachannel";
    let own = legacy.then(|| form.sctp_port.to_string());
    form.write_head(writer, line, own.as_deref().unwrap_or(&line.formats));
    if legacy {
        writer.attribute(&Attribute::SctpMap(SctpMap {
            port: form.sctp_port,
            application: "webrtc-datachannel",
            streams: Some(65_535),
        }));
    } else {
        writer.attribute(&Attribute::SctpPort(form.sctp_port));
        if let Some(init) = form.sctp_init {
            writer.attribute(&Attribute::SctpInit(init));
        }
    }
    writer.attribute(&Attribute::MaxMessageSize(form.config.max_message_size));
}

impl Association {
    /// One that an offer describes.
    pub(crate) fn proposed(transport: TransportId) -> Self {
        Self {
            transport,
            number: 0,
            parameters: None,
        }
    }

    /// The SCTP port for an offer: the one in use.
    pub(crate) fn offered_port(this: Option<&Self>, config: &Config) -> u16 {
        let parameters = this.and_then(|it| it.parameters.as_ref());
        parameters.map_or(config.sctp_port, |it| it.local_port)
    }

    /// The SCTP port for an answer to an offer that says `offered`.
    pub(crate) fn answered_port(
        this: Option<&Self>,
        transport: Option<TransportId>,
        offered: u16,
        config: &Config,
    ) -> u16 {
        let serving = this.filter(|it| Some(it.transport) == transport);
        match serving.and_then(|it| it.parameters.as_ref()) {
            // RFC 8841 §10.3: the peer closes the association
            _ if offered == 0 => 0,
            // RFC 8841 §10.3: a new port of the peer is a new association, and has a new one of ours
            Some(it) if it.remote_port != offered => it.local_port.checked_add(1).unwrap_or(1),
            Some(it) => it.local_port,
            None => config.sctp_port,
        }
    }

    /// The association that both descriptions agree on; `None` when one of them closes it.
    pub(crate) fn agreed(
        before: Option<Self>,
        transport: TransportId,
        local: &Entry,
        remote: &Entry,
    ) -> Option<Self> {
        let parameters = Parameters {
            local_port: local.sctp_port(),
            remote_port: remote.sctp_port(),
            max_message_size: remote.max_message_size(),
            remote_init: local.sctp_init().and(remote.sctp_init()).map(Into::into),
        };
        // RFC 8841 §10.3, §10.4: port 0 closes the association, and leaves DTLS as it is
        if parameters.local_port == 0 || parameters.remote_port == 0 {
            return None;
        }
        let mut agreed = before
            .filter(|it| it.transport == transport)
            .unwrap_or_else(|| Self::proposed(transport));
        // RFC 8841 §9.3: other ports are another association
        let ports = |it: &Parameters| (it.local_port, it.remote_port);
        let before = agreed.parameters.as_ref();
        if before.is_some_and(|it| ports(it) != ports(&parameters)) {
            agreed.number += 1;
        }
        agreed.parameters = Some(parameters);
        Some(agreed)
    }

    /// What leads from `old` to `new`, each with the number of the DTLS association below it and our role
    /// in that.
    pub(crate) fn changes(
        (new, dtls): (Option<&Self>, Option<(u32, DtlsRole)>),
        (old, old_dtls): (Option<&Self>, Option<(u32, DtlsRole)>),
        changes: &mut Vec<Change>,
    ) {
        let identity = |it: Option<&Self>| it.map(|it| (it.transport, it.number));
        let moved = identity(old) != identity(new);
        if moved && old.is_some() {
            changes.push(Change::Sctp(Sctp::Closed));
        }
        let Some(new) = new else { return };
        let transport = new.transport;
        if moved {
            changes.push(Change::Sctp(Sctp::Created { transport }));
        }
        // RFC 8841 §9.2: a new DTLS association carries a new SCTP association
        let number = |it: Option<(u32, DtlsRole)>| it.map(|(number, _)| number);
        let kept = old.filter(|_| !moved && number(dtls) == number(old_dtls));
        if let (Some(parameters), Some((_, role))) = (new.parameters.as_ref(), dtls)
            && kept.and_then(|it| it.parameters.as_ref()) != Some(parameters)
        {
            changes.push(Change::Sctp(Sctp::Negotiated {
                transport,
                local_port: parameters.local_port,
                remote_port: parameters.remote_port,
                max_message_size: parameters.max_message_size,
                remote_init: parameters.remote_init.clone(),
                role,
            }));
        }
    }
}
