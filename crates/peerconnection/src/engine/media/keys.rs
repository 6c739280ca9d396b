//! SRTP: keys of the DTLS association, and of the one before.

use std::{
    collections::VecDeque,
    mem,
    time::{Duration, Instant},
};

use oxirtc_dtls as dtls;
use oxirtc_srtp::{Config, Context, Error, Profile, Role, Stats};
use zeroize::Zeroizing;

use crate::engine::demux::Kind;

/// What protects the media of a transport.
#[derive(Default)]
pub(super) struct Keys {
    current: Option<Context>,
    /// Those of the association before, for what is still under way, and until when.
    retiring: Option<(Context, Instant)>,
    /// What came before there were keys.
    early: VecDeque<(Instant, Kind, Vec<u8>)>,
    /// A key was used as often as it may be.
    exhausted: bool,
    /// What those had counted that are not in use any more. What they do not open afterwards is for the others.
    past: Stats,
}

impl Keys {
    /// There are keys.
    pub(super) fn set(&mut self, context: Context) {
        self.current = Some(context);
        self.exhausted = false;
    }

    /// What came early enough to be of use, in order.
    pub(super) fn take_early(&mut self, now: Instant) -> VecDeque<(Instant, Kind, Vec<u8>)> {
        let mut early = mem::take(&mut self.early);
        early.retain(|it| now.saturating_duration_since(it.0) <= EARLY);
        early
    }

    /// Another association takes the place of this one: what is under way can still be read, and nothing is sent.
    pub(super) fn retire(&mut self, now: Instant) {
        if let Some(context) = self.current.take() {
            self.past += context.stats();
            self.retiring = Some((context, now + RETIRING));
        }
        self.early.clear();
    }

    /// An SSRC of the peer belongs to no stream any more.
    pub(super) fn end(&mut self, ssrc: u32) {
        if let Some(current) = &mut self.current {
            current.end(ssrc);
        }
    }

    /// What is encrypted beside payloads.
    pub(super) fn hide(&mut self, cryptex: bool, ids: &[u8]) {
        if let Some(current) = &mut self.current {
            current.set_cryptex(cryptex);
            current.set_encrypted(ids);
        }
    }

    /// Whether a key was used as often as it may be.
    pub(super) fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// Whether something can be sent.
    pub(super) fn can_send(&self) -> bool {
        self.current.is_some() && !self.exhausted
    }

    /// Opens what came; `None` when it was dropped, or waits for keys.
    pub(super) fn open<'a>(
        &mut self,
        now: Instant,
        kind: Kind,
        packet: &'a mut [u8],
    ) -> Option<&'a [u8]> {
        if self.retiring.as_ref().is_some_and(|it| it.1 <= now) {
            self.retiring = None;
        }
        let open = match kind {
            Kind::Rtp => Context::unprotect_rtp,
            _ => Context::unprotect_rtcp,
        };
        if let Some((retiring, _)) = &mut self.retiring {
            // Opened in place, what is not of these keys is lost for the others, so the old ones have a copy.
            let mut copy = packet.to_vec();
            if let Some(opened) = open(retiring, &mut copy) {
                let whole = packet.get_mut(..opened.len())?;
                whole.copy_from_slice(opened);
                return Some(whole);
            }
        }
        if let Some(current) = &mut self.current {
            return open(current, packet).map(|it| &*it);
        }
        if packet.len() <= LONGEST_EARLY {
            // The newest are of use, if any.
            if self.early.len() >= MOST_EARLY {
                self.early.pop_front();
            }
            self.early.push_back((now, kind, packet.to_vec()));
        }
        None
    }

    /// What all keys have counted.
    pub(super) fn stats(&self) -> Stats {
        let mut stats = self.past;
        stats += self
            .current
            .as_ref()
            .map(Context::stats)
            .unwrap_or_default();
        stats
    }

    /// By how much packets of each kind grow.
    pub(super) fn tailroom(&self, kind: Kind) -> usize {
        let current = self.current.as_ref();
        current.map_or(0, |it| match kind {
            Kind::Rtp => it.tailroom(),
            _ => it.tailroom_rtcp(),
        })
    }

    /// Protects what begins at `start`.
    ///
    /// # Errors
    ///
    /// As the context has them; there is nothing to be sent then.
    pub(super) fn seal(
        &mut self,
        kind: Kind,
        buf: &mut Vec<u8>,
        start: usize,
    ) -> Result<(), Error> {
        let context = self.current.as_mut().ok_or(Error::NotAPacket)?;
        let sealed = match kind {
            Kind::Rtp => context.protect_rtp(buf, start),
            _ => context.protect_rtcp(buf, start),
        };
        if matches!(sealed, Err(Error::KeyExhausted)) {
            self.exhausted = true;
        }
        sealed
    }
}

/// The keys of an association, from its exporter (RFC 5764 §4.2); `None` when it has agreed on none. So many SSRCs of
/// the peer are remembered.
pub(super) fn context(connection: &dtls::Connection, streams: usize) -> Option<Context> {
    let profile = Profile::from_id(connection.srtp_profile()?.id())?;
    let role = match connection.role()? {
        dtls::Role::Client => Role::Client,
        dtls::Role::Server => Role::Server,
    };
    let mut material = Zeroizing::new(vec![0; profile.material_len()]);
    connection.export(EXPORTER, None, &mut material).ok()?;
    Context::new(Config::new(profile).streams(streams), &material, role).ok()
}

/// RFC 5764 §4.2
const EXPORTER: &str = "EXTRACTOR-dtls_srtp";
const EARLY: Duration = Duration::from_millis(100);
const MOST_EARLY: usize = 64;
const LONGEST_EARLY: usize = 2048;
const RETIRING: Duration = Duration::from_secs(2);
