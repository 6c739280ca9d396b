//! Another DTLS association in the place of one that stands, which the peer may begin for a while.
//!
//! What begins it comes in the clear, so anybody may have sent it: the association that stands carries on until the peer of
//! the other one has shown the certificate that was agreed on, or until it is closed under its own keys, or fails.

use std::time::{Duration, Instant};

use oxirtc_dtls::{
    Connection, Role, State,
    message::{Fragment, Kind},
    record::{HANDSHAKE, Header},
};

use crate::Error;

/// What may take the place of an association.
pub(in crate::engine) struct Succession {
    until: Instant,
    /// Our role, as far as it is agreed on. Until then a ClientHello makes a server.
    role: Option<Role>,
    /// Ready to begin, one for each ClientHello that is looked at.
    spare: Vec<Connection>,
    /// Those that have begun. A ClientHello of a stranger neither takes the place of the peer's nor bars it: all of them listen. The
    /// last, whose client was heard last, speaks.
    begun: Vec<Next>,
    /// How the one before has ended.
    ended: Option<Ended>,
    /// What those that begin are told.
    consent: bool,
}

/// How the association before has ended.
pub(super) enum Ended {
    /// The peer has closed it.
    Closed,
    /// It has failed.
    Failed(Error),
}

/// An association that was begun.
pub(super) struct Next {
    pub(super) dtls: Connection,
    /// The random of the ClientHello that began it; none of ours.
    random: Vec<u8>,
    /// Payload that came through it.
    pub(super) payload: Vec<Vec<u8>>,
}

impl Succession {
    /// The peer may begin it from now on. `role` is ours in it, once it is agreed on; `consent` says whether the peer may be
    /// sent to.
    pub(super) fn new(
        now: Instant,
        (role, consent): (Option<Role>, bool),
        make: impl FnMut(u8) -> Connection,
    ) -> Self {
        Self {
            until: now + PATIENCE,
            role,
            spare: (0..MOST_BEGUN).map(make).collect(),
            begun: Vec::new(),
            ended: None,
            consent,
        }
    }

    /// An answer tells the role for which an offer gave reason before, or another description gives reason.
    pub(super) fn agree(&mut self, now: Instant, role: Option<Role>, round_trip: Option<Duration>) {
        self.role = role;
        self.until = now + self.patience();
        self.begin_as_client(now, round_trip);
    }

    /// The one that stands has ended. A client begins the other.
    pub(super) fn end_former(&mut self, now: Instant, how: Ended, round_trip: Option<Duration>) {
        self.ended = Some(how);
        self.until = now + self.patience();
        self.begin_as_client(now, round_trip);
    }

    /// Whether it is known what comes of it: the other is verified, or none has come in time.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.begun.iter().any(is_verified) || self.until <= now
    }

    /// The other, once it is verified; and how the one before has ended.
    pub(super) fn end(self) -> (Option<Next>, Option<Ended>) {
        let next = self.begun.into_iter().find(is_verified);
        (next, self.ended)
    }

    /// Whether there is another that speaks.
    pub(super) fn has_begun(&self) -> bool {
        !self.begun.is_empty()
    }

    /// Takes a datagram of DTLS that came; the association that stands gets it as well.
    pub(in crate::engine) fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) {
        if let Some(random) = begins(&mut datagram.to_vec()) {
            self.hear(now, random);
        }
        for Next { dtls, payload, .. } in &mut self.begun {
            dtls.handle_datagram(now, &mut datagram.to_vec(), &mut |packet| {
                if payload.len() < MOST_PAYLOAD {
                    payload.push(packet.to_vec());
                }
            });
        }
        // In 1.2 one that a stranger began fails by what the peer says to another; the peer is not to hear of that.
        if self.begun.len() > 1 {
            self.begun.retain(|it| it.dtls.state() != State::Failed);
        }
    }

    /// A ClientHello came. Each random is that of another client.
    fn hear(&mut self, now: Instant, random: Vec<u8>) {
        if self.role == Some(Role::Client) || self.begun.iter().any(is_verified) {
            return;
        }
        let known = self.begun.iter().position(|it| it.random == random);
        if let Some(known) = known {
            // It was not asked while it listened.
            let mut next = self.begun.remove(known);
            next.dtls.handle_timeout(now);
            self.begun.push(next);
        } else {
            self.begin(random);
        }
    }

    /// A client begins when what there was has ended.
    fn begin_as_client(&mut self, now: Instant, round_trip: Option<Duration>) {
        let is_client = |it: &Next| it.dtls.role() == Some(Role::Client);
        let begun = self.begun.iter().any(is_client);
        if self.ended.is_none() || self.role != Some(Role::Client) || begun {
            return;
        }
        let Some(dtls) = self.begin(Vec::new()) else {
            return;
        };
        if let Some(round_trip) = round_trip {
            dtls.set_round_trip(round_trip);
        }
        // It has had no role yet.
        if dtls.set_role(now, Role::Client).is_ok() {
            dtls.start(now);
        }
    }

    fn patience(&self) -> Duration {
        match self.ended {
            Some(_) => ENDED_PATIENCE,
            None => PATIENCE,
        }
    }

    fn begin(&mut self, random: Vec<u8>) -> Option<&mut Connection> {
        let mut dtls = self.spare.pop()?;
        dtls.set_consent(self.consent);
        self.begun.push(Next {
            dtls,
            random,
            payload: Vec::new(),
        });
        self.begun.last_mut().map(|it| &mut it.dtls)
    }

    pub(super) fn poll_transmit(&mut self, now: Instant, room: usize, buf: &mut Vec<u8>) -> bool {
        let speaking = self.begun.last_mut();
        speaking.is_some_and(|it| it.dtls.poll_transmit(now, room, buf))
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let due = self.begun.last().and_then(|it| it.dtls.poll_timeout());
        due.into_iter().chain([self.until]).min()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let Some(speaking) = self.begun.last_mut() {
            speaking.dtls.handle_timeout(now);
        }
    }

    pub(super) fn set_consent(&mut self, consent: bool) {
        self.consent = consent;
        let begun = self.begun.iter_mut();
        begun.for_each(|it| it.dtls.set_consent(consent));
    }
}

/// The peer of it has shown the certificate that was agreed on, and the handshake is complete.
fn is_verified(next: &Next) -> bool {
    next.dtls.is_connected()
}

/// The random of a ClientHello that begins in this datagram, if that is its first message.
fn begins(datagram: &mut [u8]) -> Option<Vec<u8>> {
    let (header, payload, _) = Header::split(datagram)?;
    let (fragment, _) = Fragment::parse(payload).ok()?;
    let hello = header.content_type == HANDSHAKE
        && header.epoch == 0
        && Kind::from_id(fragment.kind) == Some(Kind::ClientHello)
        && fragment.offset == 0;
    // RFC 8446 §4.1.2: behind the version.
    fragment
        .body
        .get(2..34)
        .filter(|_| hello)
        .map(<[u8]>::to_vec)
}

/// For so long a peer may begin anew once a description has given it reason.
const PATIENCE: Duration = Duration::from_secs(30);
/// For so long it may do so once what was there has ended.
const ENDED_PATIENCE: Duration = Duration::from_secs(10);
/// So many ClientHellos are looked at: each costs a key agreement.
const MOST_BEGUN: u8 = 4;
/// So many datagrams come between two looks at most.
const MOST_PAYLOAD: usize = 64;

#[cfg(test)]
mod tests {
    use std::{slice, time::SystemTime};

    use oxirtc_dtls::{Certificate, Config, Group, HashAlgorithm, KeyType, Version};
    use oxirtc_netsim::{epoch, ms};

    use super::*;

    /// Who we are, and who the peer is.
    struct Two {
        version: Version,
        certificates: [Certificate; 2],
    }

    impl Two {
        fn new(version: Version) -> Self {
            let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
            let generate = || {
                let lifetime = Certificate::DEFAULT_LIFETIME;
                Certificate::generate(KeyType::EcdsaP256, wall, lifetime).unwrap()
            };
            Self {
                version,
                certificates: [generate(), generate()],
            }
        }

        /// One end, which expects the other.
        fn connection(&self, end: usize, seed: u8) -> Connection {
            let config = Config::new(self.certificates[end].clone()).versions(&[self.version]);
            let config = config.groups(&[Group::X25519]);
            let mut connection = Connection::new(config, [seed; 32], epoch());
            let expected = self.certificates[1 - end].fingerprint(&HashAlgorithm::Sha256);
            let expected = slice::from_ref(expected.as_ref().unwrap());
            connection.set_remote_fingerprints(epoch(), expected, &mut |_: &mut [u8]| {});
            connection
        }

        fn succession(&self, role: Role) -> Succession {
            self.succession_with(role, true)
        }

        fn succession_with(&self, role: Role, consent: bool) -> Succession {
            let make = |number| self.connection(0, number);
            Succession::new(epoch(), (Some(role), consent), make)
        }

        fn client(&self, seed: u8) -> Connection {
            let mut client = self.connection(1, seed);
            client.set_role(epoch(), Role::Client).unwrap();
            client.start(epoch());
            client
        }
    }

    fn polled(mut poll: impl FnMut(&mut Vec<u8>) -> bool) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let mut datagram = Vec::new();
            if !poll(&mut datagram) {
                return all;
            }
            all.push(datagram);
        }
    }

    /// What the client says in datagrams that are so long, and what comes back.
    fn turn(
        client: &mut Connection,
        succession: &mut Succession,
        now: Instant,
        room: usize,
    ) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        for datagram in polled(|buf| client.poll_transmit(now, room, buf)) {
            succession.handle_datagram(now, &datagram);
            all.extend(polled(|buf| succession.poll_transmit(now, 1200, buf)));
        }
        all
    }

    fn hear(client: &mut Connection, now: Instant, datagrams: Vec<Vec<u8>>) {
        for mut datagram in datagrams {
            client.handle_datagram(now, &mut datagram, &mut |_: &mut [u8]| {});
        }
    }

    /// A ClientHello that comes again is answered as before, whoever was heard meanwhile.
    #[test]
    fn who_was_heard_last_is_answered() {
        let two = Two::new(Version::Dtls13);
        let mut succession = two.succession(Role::Server);
        let (mut now, [mut first, mut second]) = (epoch(), [1, 2].map(|seed| two.client(seed)));
        assert!(!turn(&mut first, &mut succession, now, 1200).is_empty());
        assert!(!turn(&mut second, &mut succession, now, 1200).is_empty());
        now += Duration::from_millis(2500);
        first.handle_timeout(now);
        let answer = turn(&mut first, &mut succession, now, 1200);
        assert!(succession.poll_timeout().is_some_and(|it| it > now));
        hear(&mut first, now, answer);
        assert!(first.is_connected(), "it was its own answer");
        turn(&mut first, &mut succession, now, 1200);
        assert!(succession.is_over(now) && succession.end().0.is_some());
    }

    /// In 1.2 what the peer says in the clear is heard by all: the one that fails by it tells nobody.
    #[test]
    fn one_that_fails_beside_another_is_silent() {
        let two = Two::new(Version::Dtls12);
        let mut succession = two.succession(Role::Server);
        let (now, [mut peer, mut stranger]) = (epoch(), [1, 2].map(|seed| two.client(seed)));
        let answer = turn(&mut peer, &mut succession, now, 1200);
        hear(&mut peer, now, answer);
        turn(&mut stranger, &mut succession, now, 1200);
        let answer = turn(&mut peer, &mut succession, now, 150);
        assert!(answer.iter().all(|it| it[0] != 21), "an alert left");
        assert!(succession.is_over(now) && succession.end().0.is_some());
    }

    /// A hello behind the one that is verified begins nothing, and of what comes through that one only so much is kept.
    #[test]
    fn what_is_verified_stands() {
        let two = Two::new(Version::Dtls13);
        let mut succession = two.succession(Role::Server);
        let (now, mut peer) = (epoch(), two.client(1));
        let answer = turn(&mut peer, &mut succession, now, 1200);
        hear(&mut peer, now, answer);
        assert!(!succession.is_over(now));
        turn(&mut peer, &mut succession, now, 1200);
        assert!(succession.is_over(now));
        turn(&mut two.client(2), &mut succession, now, 1200);
        assert_eq!(succession.begun.len(), 1);
        for _ in 0..100 {
            let mut datagram = vec![0; peer.headroom()];
            datagram.push(7);
            peer.seal(&mut datagram, 0).unwrap();
            succession.handle_datagram(now, &datagram);
        }
        let (next, ended) = succession.end();
        assert_eq!(next.unwrap().payload, vec![vec![7]; MOST_PAYLOAD]);
        assert!(ended.is_none());
    }

    /// A client begins once, when the peer has closed the one before, and answers no client.
    #[test]
    fn a_client_begins_when_the_one_before_is_closed() {
        let two = Two::new(Version::Dtls13);
        let mut succession = two.succession(Role::Client);
        let (now, trip) = (epoch(), Some(ms(40)));
        succession.agree(now, Some(Role::Client), trip);
        assert!(turn(&mut two.client(1), &mut succession, now, 1200).is_empty());
        assert!(succession.begun.is_empty());
        succession.end_former(now, Ended::Closed, trip);
        succession.agree(now, Some(Role::Client), trip);
        assert_eq!(succession.begun.len(), 1);
        let mut hello = polled(|buf| succession.poll_transmit(now, 1200, buf));
        assert!(begins(&mut hello[0]).is_some());
        assert_eq!(succession.poll_timeout(), Some(now + ms(80)));
    }

    /// Where the peer does not consent the pauses grow, whether that was known before the other began, or came before or behind it.
    #[test]
    fn consent_is_handed_on() {
        let two = Two::new(Version::Dtls13);
        let cases = [
            (true, [None, None], 3),
            (false, [None, None], 4),
            (true, [Some(false), None], 4),
            (true, [None, Some(false)], 4),
            (false, [None, Some(true)], 3),
        ];
        for (at_first, [before, behind], third) in cases {
            let mut succession = two.succession_with(Role::Server, at_first);
            before.into_iter().for_each(|it| succession.set_consent(it));
            turn(&mut two.client(1), &mut succession, epoch(), 1200);
            behind.into_iter().for_each(|it| succession.set_consent(it));
            let (mut now, mut pauses) = (epoch(), Vec::new());
            for _ in 0..3 {
                let due = succession.poll_timeout().unwrap();
                pauses.push((due - now).as_secs());
                now = due;
                succession.handle_timeout(now);
                assert!(!polled(|buf| succession.poll_transmit(now, 1200, buf)).is_empty());
            }
            assert_eq!(pauses, [1, 2, third]);
        }
    }
}
