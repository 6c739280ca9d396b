//! RTCP for the application: what comes, and what it sends of its own.

use std::time::Instant;

use crate::{
    Error, ErrorKind, RtcpApp,
    engine::{Engine, ids::TransportId},
};

impl Engine {
    /// Whether the RTCP of a transport is told: each datagram as an [`Event::Rtcp`](crate::engine::Event::Rtcp), what the peer reports
    /// and asks for beside what it means here.
    pub fn read_rtcp(&mut self, id: TransportId, on: bool) {
        if let Some((transport, _)) = self.transports.lend(id) {
            transport.reads_rtcp = on;
            if let Some(path) = &mut transport.media {
                path.read_rtcp(on);
            }
        }
    }

    /// Sends a packet that an application defines, with the next report, which is due at once.
    ///
    /// # Errors
    ///
    /// `Type` for one that is malformed, `InvalidState` when the transport carries no media, or is not connected, `Operation` when too
    /// many wait.
    pub fn send_app(&mut self, now: Instant, id: TransportId, app: &RtcpApp) -> Result<(), Error> {
        if let Some(fault) = app.fault() {
            return Err(Error::new(ErrorKind::Type, fault));
        }
        let transport = self.transports.lend(id).map(|it| it.0);
        let path = transport.filter(|it| it.is_secure());
        let Some(path) = path.and_then(|it| it.media.as_mut()) else {
            let message = "the transport carries no media";
            return Err(Error::new(ErrorKind::InvalidState, message));
        };
        if !path.rtp.send_app(now, app.name, app.subtype, &app.data) {
            let message = "too many packets wait for the next report";
            return Err(Error::new(ErrorKind::Operation, message));
        }
        Ok(())
    }
}
