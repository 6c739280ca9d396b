//! Setting up: INIT, INIT ACK, COOKIE ECHO, COOKIE ACK (RFC 9260 §5).

use std::time::Instant;

use rand_core::Rng;

use crate::{
    Association, Event, Failure, State, Tsn,
    cookie::Cookie,
    effort,
    packet::{CauseCode, Chunk, ChunkKind, Init, Parameter, ParameterKind, Parameters, Write},
    setup::random_tag,
    tcb::{Consent, Reconfiguration},
    timer::Timer,
};

/// What the parameters of an INIT or INIT ACK say.
#[derive(Debug, Default)]
pub(crate) struct Offer<'a> {
    forward_tsn: bool,
    reconfig: bool,
    zero_checksum: bool,
    interleaving: bool,
    cookie: Option<&'a [u8]>,
    pub(crate) host_name: Option<Parameter<'a>>,
    /// Parameters to report as unrecognized.
    unrecognized: Vec<u8>,
}

impl Association {
    /// Begins to connect: the lower layer can carry packets now. Both sides may call it; a second call does nothing.
    pub fn connect(&mut self, now: Instant) {
        if self.state == State::Closed && self.ended.is_none() {
            self.state = State::CookieWait;
            self.restart_setup(now);
        }
    }

    fn restart_setup(&mut self, now: Instant) {
        let timeout = self.tx.recovery.rtt.timeout();
        self.setup.timeout = Some(timeout);
        self.setup.attempts = 0;
        self.control.setup = true;
        self.timers.set(Timer::Setup, now + timeout);
    }

    pub(crate) fn handle_setup_timeout(&mut self, now: Instant) {
        self.setup.attempts += 1;
        // What went along with the last COOKIE ECHO goes along with the next.
        self.tx.send_again(now, &mut self.stats);
        let unlimited = match self.life.consent {
            Consent::Given => None,
            Consent::Lost { .. } => Some(MAX_INIT_RETRANSMISSIONS),
        };
        let limit = self.config.max_init_retransmissions.or(unlimited);
        if limit.is_some_and(|limit| self.setup.attempts > limit) {
            self.fail(Failure::SetupTimeout);
            return;
        }
        let timeout = self.setup.timeout.unwrap_or(self.tx.recovery.rtt.timeout());
        let timeout = (timeout * 2).min(self.tx.recovery.rtt.max());
        self.setup.timeout = Some(timeout);
        self.control.setup = true;
        self.timers.set(Timer::Setup, now + timeout);
    }

    /// The path is there again: what waited for its turn to be repeated need not wait.
    pub(crate) fn revive_setup(&mut self) {
        if self.is_setting_up() {
            self.setup.timeout = None;
            self.timers.set(Timer::Setup, self.clock);
        }
    }

    /// Appends our INIT or the peer's cookie, whichever is due.
    pub(crate) fn write_setup(&mut self, buf: &mut Vec<u8>) {
        self.control.setup = false;
        if self.state == State::CookieEchoed {
            let (kind, flags) = (ChunkKind::COOKIE_ECHO, 0);
            let value = &self.setup.cookie;
            Chunk { kind, flags, value }.write(buf);
        } else {
            let initial = self.setup_tsn();
            let parameters = self.our_parameters(None, &[]);
            self.our_init(self.peer.local_tag, initial, &parameters)
                .write(ChunkKind::INIT, buf);
        }
    }

    /// Our parameters: extensions, and in an answer the cookie and what was not recognized.
    pub(crate) fn our_parameters(&self, cookie: Option<&[u8]>, unrecognized: &[u8]) -> Vec<u8> {
        let mut buf = Vec::new();
        let mut add = |kind, value: &[u8]| Parameter { kind, value }.write(&mut buf);
        if let Some(cookie) = cookie {
            add(ParameterKind::STATE_COOKIE, cookie);
        }
        add(ParameterKind::FORWARD_TSN_SUPPORTED, &[]);
        if self.config.zero_checksum {
            add(ParameterKind::ZERO_CHECKSUM, &OVER_DTLS);
        }
        let extensions = [
            ChunkKind::RECONFIG.0,
            ChunkKind::FORWARD_TSN.0,
            ChunkKind::I_DATA.0,
            ChunkKind::I_FORWARD_TSN.0,
        ];
        let (basic, _) = extensions.split_at(2);
        let offered = match self.config.interleaving {
            true => &extensions[..],
            false => basic,
        };
        add(ParameterKind::SUPPORTED_EXTENSIONS, offered);
        if !unrecognized.is_empty() {
            // RFC 9260 §3.3.3.1: each wrapped in a parameter of its own.
            for parameter in Parameters::parse(unrecognized) {
                let mut whole = Vec::new();
                parameter.write(&mut whole);
                add(ParameterKind::UNRECOGNIZED, &whole);
            }
        }
        buf
    }

    pub(crate) fn our_init<'a>(
        &self,
        tag: u32,
        initial_tsn: Tsn,
        parameters: &'a [u8],
    ) -> Init<'a> {
        Init {
            tag,
            // RFC 9260 §6: no less, though what came before a restart may not have been read.
            window: self.rx.window().max(MIN_WINDOW),
            outbound: self.config.outbound_streams,
            inbound: self.config.inbound_streams,
            initial_tsn,
            parameters,
        }
    }

    /// RFC 9260 §5.1, §5.2.1, §5.2.2: an INIT is answered and leaves nothing behind, in any state.
    pub(crate) fn handle_init(&mut self, chunk: Chunk<'_>) -> bool {
        // §3.3.2: a tag of 0 cannot even be answered.
        let Some(init) = Init::parse(chunk.value).filter(|init| init.tag != 0) else {
            return false;
        };
        if self.state == State::ShutdownAckSent {
            // §9.2: the peer has to end the old association first.
            self.control.shutdown_ack = true;
            return true;
        }
        if !is_usable(&init) {
            self.control
                .abort(init.tag, CauseCode::INVALID_MANDATORY_PARAMETER, &[]);
            return false;
        }
        let offer = Offer::parse(init.parameters(), self.config.max_packet);
        if let Some(host_name) = offer.host_name {
            let mut information = Vec::new();
            host_name.write(&mut information);
            information.truncate(MAX_UNRECOGNIZED);
            self.control
                .abort(init.tag, CauseCode::UNRESOLVABLE_ADDRESS, &information);
            return false;
        }
        let (local_tag, local_tsn) = match self.state {
            // §5.2.1: both sides connect at once; our answer says what our INIT said.
            State::CookieWait | State::CookieEchoed => {
                let initial = self.setup_tsn();
                (self.peer.local_tag, initial)
            }
            _ => (random_tag(&mut self.rng), Tsn(self.rng.next_u32())),
        };
        let cookie = Cookie {
            created: self.setup.key.time(self.clock),
            local_tag,
            peer_tag: init.tag,
            local_tsn,
            peer_tsn: init.initial_tsn,
            peer_window: init.window,
            outbound: self.config.outbound_streams.min(init.inbound),
            inbound: self.config.inbound_streams.min(init.outbound),
            forward_tsn: offer.forward_tsn,
            reconfig: offer.reconfig,
            zero_checksum: offer.zero_checksum,
            interleaving: offer.interleaving,
        };
        let sealed = self.setup.key.seal(&cookie);
        let parameters = self.our_parameters(Some(&sealed), &offer.unrecognized);
        let answer = self.our_init(local_tag, local_tsn, &parameters);
        self.control
            .reply(init.tag, |buf| answer.write(ChunkKind::INIT_ACK, buf));
        true
    }

    /// The TSN that our INIT named; data that went with a COOKIE ECHO does not change it.
    pub(crate) fn setup_tsn(&self) -> Tsn {
        self.tx.outstanding.cumulative().next().tsn()
    }

    pub(crate) fn handle_init_ack(&mut self, now: Instant, chunk: Chunk<'_>) -> bool {
        // RFC 9260 §5.2.3: in any other state it is late.
        if self.state != State::CookieWait {
            return false;
        }
        let Some(init) = Init::parse(chunk.value) else {
            return false;
        };
        let offer = Offer::parse(init.parameters(), self.config.max_packet);
        if init.tag == 0 || !is_usable(&init) || offer.host_name.is_some() {
            self.peer.tag = init.tag;
            self.fail(Failure::InvalidSetup);
            return false;
        }
        let longest = self.config.max_packet - SETUP_OVERHEAD;
        let Some(cookie) = offer.cookie.filter(|cookie| cookie.len() <= longest) else {
            // RFC 9260 §3.3.10.2: one parameter is missing, the cookie.
            let missing = [0, 0, 0, 1, 0, 7];
            self.peer.tag = init.tag;
            let cause = Failure::InvalidSetup;
            self.end_with_abort(
                Event::Failed { cause },
                CauseCode::MISSING_PARAMETER,
                &missing,
            );
            return false;
        };
        self.setup.cookie = cookie.to_vec();
        if !offer.unrecognized.is_empty() {
            self.control
                .error(CauseCode::UNRECOGNIZED_PARAMETERS, &offer.unrecognized);
        }
        self.take_offer(&init, &offer);
        self.state = State::CookieEchoed;
        self.restart_setup(now);
        true
    }

    /// Takes over what the peer's INIT or INIT ACK and ours agree on.
    pub(crate) fn take_offer(&mut self, init: &Init<'_>, offer: &Offer<'_>) {
        self.take_peer(&Cookie {
            created: self.setup.key.time(self.clock),
            local_tag: self.peer.local_tag,
            peer_tag: init.tag,
            local_tsn: self.setup_tsn(),
            peer_tsn: init.initial_tsn,
            peer_window: init.window,
            outbound: self.config.outbound_streams.min(init.inbound),
            inbound: self.config.inbound_streams.min(init.outbound),
            forward_tsn: offer.forward_tsn,
            reconfig: offer.reconfig,
            zero_checksum: offer.zero_checksum,
            interleaving: offer.interleaving,
        });
    }

    /// Takes over what was agreed on.
    fn take_peer(&mut self, cookie: &Cookie) {
        self.setup.taken = cookie.created;
        self.peer.local_tag = cookie.local_tag;
        self.peer.tag = cookie.peer_tag;
        self.peer.outbound = cookie.outbound;
        self.peer.inbound = cookie.inbound;
        self.peer.forward_tsn = cookie.forward_tsn;
        self.peer.reconfig = cookie.reconfig;
        self.peer.interleaving = cookie.interleaving && self.config.interleaving;
        self.peer.zero_checksum = cookie.zero_checksum && self.config.zero_checksum;
        if self.setup_tsn() != cookie.local_tsn {
            self.tx.restart(cookie.local_tsn);
        }
        self.tx.set_interleaving(self.peer.interleaving);
        self.tx.peer_window = cookie.peer_window as usize;
        self.rx.restart(cookie.peer_tsn, &mut self.tx.left);
        self.reset.restart(cookie.local_tsn.0, cookie.peer_tsn.0);
        self.tx.limit_streams(self.clock, cookie.outbound);
        self.tx.queue.set_reliable(!cookie.forward_tsn);
    }

    /// RFC 9260 §5.1.5, §5.2.4.
    pub(crate) fn handle_cookie_echo(&mut self, now: Instant, tag: u32, chunk: Chunk<'_>) -> bool {
        let cookie = self
            .setup
            .key
            .open(chunk.value)
            .filter(|cookie| cookie.local_tag == tag);
        let Some(cookie) = cookie else {
            self.stats.dropped_cookies += 1;
            return false;
        };
        let (local, peer) = (self.peer.local_tag, self.peer.tag);
        let same = cookie.local_tag == local && cookie.peer_tag == peer;
        let age = self
            .setup
            .key
            .time(self.clock)
            .saturating_sub(cookie.created);
        if age > self.setup.lifetime && !same {
            let stale = (age - self.setup.lifetime).as_micros();
            let stale = u32::try_from(stale).unwrap_or(u32::MAX);
            let mut information = Vec::with_capacity(4);
            information.put_u32(stale);
            self.reply_error(cookie.peer_tag, CauseCode::STALE_COOKIE, &information);
            return false;
        }
        // §5.2.4, Table 12.
        let ours = cookie.local_tag == local;
        match self.state {
            State::Closed => {
                self.take_peer(&cookie);
                self.establish(now, Event::Connected);
            }
            // B: at once with us.
            State::CookieWait | State::CookieEchoed if ours => {
                if !same {
                    self.take_peer(&cookie);
                }
                self.establish(now, Event::Connected);
            }
            // D: it comes once more.
            _ if same => self.control.cookie_ack = true,
            _ if self.is_begun_anew(&cookie) => return self.handle_restart(now, &cookie),
            // C, or a row that the table does not have.
            _ => {
                self.stats.dropped_cookies += 1;
                return false;
            }
        }
        true
    }

    /// Table 12 A, whose tie-tags say only that the cookie was made beside this association. When it was made says as well which of two
    /// came later, where the peer has begun again twice, or while we were setting up, so that its new INIT had our one tag (§5.2.2).
    fn is_begun_anew(&self, cookie: &Cookie) -> bool {
        let later = cookie.created.as_millis() >= self.setup.taken.as_millis();
        !self.is_setting_up() && cookie.peer_tag != self.peer.tag && later
    }

    /// Table 12, action A: the peer has lost the association and begins again.
    fn handle_restart(&mut self, now: Instant, cookie: &Cookie) -> bool {
        if self.state == State::ShutdownAckSent {
            self.control.shutdown_ack = true;
            self.control
                .error(CauseCode::COOKIE_WHILE_SHUTTING_DOWN, &[]);
            return false;
        }
        // What is dropped in steps is of one life: the cookie comes again.
        if self.tx.is_dropping() {
            return false;
        }
        effort::take(&mut self.tx.left, effort::RESTART);
        self.tx.queue.discard();
        self.tx.restart(cookie.local_tsn);
        self.control = Default::default();
        self.heartbeat = Default::default();
        self.timers.stop_all();
        // What was asked for was of streams that are gone.
        self.reset = Reconfiguration::new(cookie.local_tsn.0);
        self.events.restart();
        self.take_peer(cookie);
        self.life.closing = None;
        self.establish(now, Event::Restarted);
        true
    }

    pub(crate) fn handle_cookie_ack(&mut self, now: Instant) -> bool {
        if self.state == State::CookieEchoed {
            self.establish(now, Event::Connected);
            self.control.cookie_ack = false;
        }
        true
    }

    pub(crate) fn establish(&mut self, now: Instant, event: Event) {
        self.state = State::Established;
        self.setup.cookie = Vec::new();
        self.timers.stop(Timer::Setup);
        self.control.setup = false;
        self.control.cookie_ack = true;
        self.answered();
        self.life.last_activity = now;
        self.schedule_heartbeat(now);
        self.tx.start_t3(now);
        self.events.push_latest(event);
    }

    /// RFC 9260 §5.2.6: our cookie came back too late; a new INIT asks for another.
    pub(crate) fn handle_stale_cookie(&mut self, now: Instant) {
        if self.state == State::CookieEchoed {
            let attempts = self.setup.attempts;
            self.state = State::CookieWait;
            self.setup.cookie = Vec::new();
            self.restart_setup(now);
            self.setup.attempts = attempts;
        }
    }

    fn reply_error(&mut self, tag: u32, code: CauseCode, information: &[u8]) {
        self.control.reply(tag, |buf| {
            let start = crate::packet::begin(buf, ChunkKind::ERROR, 0);
            crate::packet::Cause { code, information }.write(buf);
            crate::packet::end(buf, start);
        });
    }
}

impl<'a> Offer<'a> {
    pub(crate) fn parse(parameters: Parameters<'a>, max_packet: usize) -> Self {
        let mut offer = Self::default();
        for parameter in parameters {
            match parameter.kind {
                ParameterKind::FORWARD_TSN_SUPPORTED => offer.forward_tsn = true,
                ParameterKind::SUPPORTED_EXTENSIONS => {
                    offer.forward_tsn |= parameter.value.contains(&ChunkKind::FORWARD_TSN.0);
                    offer.reconfig |= parameter.value.contains(&ChunkKind::RECONFIG.0);
                    // RFC 8260 §2.2.1, §2.3.1: we skip what we give up, so both are needed.
                    offer.interleaving |= [ChunkKind::I_DATA, ChunkKind::I_FORWARD_TSN]
                        .iter()
                        .all(|kind| parameter.value.contains(&kind.0));
                }
                ParameterKind::ZERO_CHECKSUM => {
                    offer.zero_checksum |= parameter.value == OVER_DTLS;
                }
                ParameterKind::STATE_COOKIE => offer.cookie = Some(parameter.value),
                ParameterKind::HOST_NAME => offer.host_name = Some(parameter),
                // RFC 8261 §6.1: there are no addresses over DTLS; what says otherwise is passed over.
                ParameterKind::IPV4_ADDRESS
                | ParameterKind::IPV6_ADDRESS
                | ParameterKind::SUPPORTED_ADDRESS_TYPES
                | ParameterKind::COOKIE_PRESERVATIVE
                | ParameterKind::UNRECOGNIZED => {}
                kind => {
                    let most = MAX_UNRECOGNIZED.min(max_packet / 4);
                    let length = offer.unrecognized.len() + parameter.padded_len();
                    if kind.report_if_unknown() && length <= most {
                        parameter.write(&mut offer.unrecognized);
                    }
                    if !kind.skip_if_unknown() {
                        break;
                    }
                }
            }
        }
        offer
    }
}

/// RFC 9260 §3.3.2: what an INIT may not say.
pub(crate) fn is_usable(init: &Init<'_>) -> bool {
    init.window >= MIN_WINDOW && init.outbound != 0 && init.inbound != 0
}

/// Max.Init.Retransmits of RFC 9260 §16, in force without consent.
const MAX_INIT_RETRANSMISSIONS: u32 = 8;
const MIN_WINDOW: u32 = 1500;
/// Headers around a cookie.
const SETUP_OVERHEAD: usize = 16;
/// How much of what we do not know is sent back.
const MAX_UNRECOGNIZED: usize = 256;
/// The error detection method of RFC 9653 §4 that is DTLS.
const OVER_DTLS: [u8; 4] = [0, 0, 0, 1];
