//! The value of each member of statistics that is counted here, after an exchange of which everything is known: what was on the wire,
//! when, and how long it took. Nothing is asked of the engine to know it.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    rc::Rc,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use oxirtc_netsim::{End, Link, epoch, ms};
use oxirtc_peerconnection::{
    MediaKind, StatsReport,
    engine::{Cutter, TransceiverId},
    media::{Codec, EncodedFrame},
    stats::StatsObject,
};
use serde_json::{Map, Value, json};

use crate::pair::{
    Pair,
    media::{ONE, connect},
};

/// How long a datagram is on its way.
const DELAY: Duration = Duration::from_millis(10);
/// By how much each second frame leaves late.
const LATE: Duration = Duration::from_millis(4);
/// RFC 7714 §13.2: what AES-GCM adds to a packet.
const TAG: usize = 16;
/// Seconds from 1900 to 1970.
const SINCE_1900: f64 = 2_208_988_800.0;

/// A datagram that was sent.
struct Seen {
    at: Instant,
    from: usize,
    datagram: Vec<u8>,
    lost: bool,
}

impl Seen {
    fn is_stun(&self, class: u8) -> bool {
        self.datagram[..2] == [class, 1]
    }

    fn is_payload(&self) -> bool {
        self.datagram[0] > 3
    }

    /// RFC 5761 §4: a report, which begins with that of a sender or of a receiver.
    fn is_report(&self, kind: u8) -> bool {
        self.datagram[0] >= 128 && self.datagram[1] == kind
    }

    fn is_rtp(&self) -> bool {
        self.datagram[0] >= 128 && !(64..96).contains(&(self.datagram[1] & 0x7f))
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.datagram[at..at + 4].try_into().unwrap())
    }

    fn ssrc(&self) -> u32 {
        self.word(8)
    }

    fn timestamp(&self) -> u32 {
        self.word(4)
    }

    /// RFC 3550 §5.1: fixed header and extension; there are no contributing sources.
    fn header(&self) -> usize {
        assert_eq!(self.datagram[0] & 0x2f, 0, "neither padding nor sources");
        match self.datagram[0] & 0x10 {
            0 => 12,
            _ => 16 + 4 * usize::from(u16::from_be_bytes([self.datagram[14], self.datagram[15]])),
        }
    }

    fn payload(&self) -> usize {
        self.datagram.len() - TAG - self.header()
    }
}

/// A frame as the other end has read it.
struct Read {
    at: Instant,
    captured: Instant,
}

/// A stream that was sent for six seconds; one of its packets was lost.
struct Exchange {
    kind: MediaKind,
    pair: Pair,
    connected: Instant,
    seen: Vec<Seen>,
    read: Vec<Read>,
    /// Frames that never came whole.
    missing: usize,
    /// When frames were given.
    given: Vec<Instant>,
    ssrc: u32,
}

impl Exchange {
    fn of(kind: MediaKind) -> Self {
        let mut pair = Pair::new(21, Link::new(1).delay(DELAY));
        let number = Rc::<RefCell<(u32, Vec<usize>, usize)>>::default();
        let count = number.clone();
        pair.sent = Some(Vec::new());
        pair.tap = Some(Box::new(move |from, datagram| {
            let is_rtp = datagram[0] >= 128 && !(64..96).contains(&(datagram[1] & 0x7f));
            let mut count = count.borrow_mut();
            let index = count.2;
            count.2 += 1;
            count.0 += u32::from(from == End::A && is_rtp);
            let lost = from == End::A && is_rtp && count.0 == LOST;
            if lost {
                count.1.push(index);
            }
            !lost
        }));
        let streams = vec!["stream".to_owned()];
        let engine = &mut pair.ends[0].engine;
        let here = engine.add_track(kind, ONE, streams).unwrap();
        let there = connect(&mut pair);
        let connected = pair.now;
        let engine = &mut pair.ends[0].engine;
        let mut parameters = engine.parameters(here);
        parameters.encodings[0].max_bitrate = Some(TARGET);
        engine.set_parameters(connected, here, parameters).unwrap();
        let engine = &mut pair.ends[1].engine;
        engine
            .set_jitter_buffer_target(there, Some(WANTED))
            .unwrap();
        let mut exchange = Self {
            kind,
            pair,
            connected,
            seen: Vec::new(),
            read: Vec::new(),
            missing: 0,
            given: Vec::new(),
            ssrc: 0,
        };
        let mut cutter = Cutter::default();
        for count in 0..exchange.frames() {
            exchange.send(&mut cutter, [here, there], count);
        }
        let lost = number.borrow().1.clone();
        let sent = exchange.pair.sent.take().unwrap();
        let seen = sent.into_iter().enumerate().map(|(index, it)| Seen {
            at: it.at,
            from: usize::from(it.from == End::B),
            datagram: it.datagram,
            lost: lost.contains(&index),
        });
        exchange.seen = seen.collect();
        let mut rtp = exchange.seen.iter().filter(|it| it.is_rtp());
        exchange.ssrc = rtp.next().unwrap().ssrc();
        exchange
    }

    fn send(&mut self, cutter: &mut Cutter, [here, there]: [TransceiverId; 2], count: u32) {
        let now = self.pair.now;
        let mut frame = match self.kind {
            // RFC 6716 §3.1: one frame of 20 ms in the packet.
            MediaKind::Audio => EncodedFrame::new(Codec::Opus, vec![0xfc; 80]),
            MediaKind::Video => {
                let mut payload = vec![7; if count == 0 { 12_000 } else { 3000 }];
                payload[..10].copy_from_slice(&[
                    u8::from(count != 0),
                    0,
                    0,
                    0x9d,
                    1,
                    0x2a,
                    64,
                    1,
                    180,
                    0,
                ]);
                EncodedFrame::new(Codec::Vp8, payload)
            }
        };
        (frame.captured, frame.audio_level) = (Some(now), Some(20));
        let batch = cutter.cut_frame(now, 0, &frame).unwrap();
        self.pair.ends[0].engine.write(now, here, &batch);
        self.given.push(now);
        if count % 2 == 1 {
            self.pair.now += LATE;
        }
        let rest = now + self.interval() - self.pair.now;
        self.pair.run(rest);
        let at = self.pair.now;
        while let Some(frame) = self.pair.ends[1].engine.read_frame(at, there) {
            // One that is given up is missing before the next.
            self.missing += frame.missing_before as usize;
            let captured = self.given[self.read.len() + self.missing];
            self.read.push(Read { at, captured });
        }
    }

    fn frames(&self) -> u32 {
        match self.kind {
            MediaKind::Audio => 300,
            MediaKind::Video => 180,
        }
    }

    fn interval(&self) -> Duration {
        match self.kind {
            MediaKind::Audio => ms(20),
            MediaKind::Video => ms(33),
        }
    }

    fn rate(&self) -> f64 {
        match self.kind {
            MediaKind::Audio => 48_000.0,
            MediaKind::Video => 90_000.0,
        }
    }
}

/// How long frames are to wait at the other end, which is longer than unevenness and repair ask for.
const WANTED: Duration = Duration::from_millis(60);
/// The packet that is lost.
const LOST: u32 = 290;
/// Bits a second that the encoder is asked for.
const TARGET: u32 = 1_500_000;

// What must stand in the reports, by what was seen.
impl Exchange {
    fn sent_by(&self, side: usize) -> impl Iterator<Item = &Seen> {
        self.seen.iter().filter(move |it| it.from == side)
    }

    /// The stream itself, or its retransmissions.
    fn stream(&self, again: bool) -> Vec<&Seen> {
        let rtp = self.sent_by(0).filter(|it| it.is_rtp());
        rtp.filter(|it| (it.ssrc() != self.ssrc) == again).collect()
    }

    fn came(&self) -> Vec<&Seen> {
        let mut came = self.stream(false);
        came.retain(|it| !it.lost);
        came
    }

    /// When the other side has seen a datagram: it looks when a late frame has left, and not in between.
    fn arrival(&self, it: &Seen) -> Instant {
        let at = it.at + DELAY;
        let late = self.given.iter().skip(1).step_by(2);
        let mut looks = late.map(|given| (*given, *given + LATE));
        looks
            .find(|(from, to)| *from < at && at < *to)
            .map_or(at, |(_, to)| to)
    }

    /// The times from requests of a side to their answers, in seconds.
    fn round_trips(&self, side: usize) -> Vec<f64> {
        let requests = self.sent_by(side).filter(|it| it.is_stun(0));
        let answers = self.sent_by(1 - side).filter(|it| it.is_stun(1));
        let both = requests.zip(answers);
        both.map(|(request, answer)| (self.arrival(answer) - request.at).as_secs_f64())
            .collect()
    }

    /// From the first packet of the frame that had a hole until the retransmission.
    fn assembly(&self, again: &Seen) -> f64 {
        let lost = self.lost();
        let mut frame = self
            .sent_by(0)
            .filter(|it| it.is_rtp() && !it.lost && it.timestamp() == lost.timestamp());
        (self.arrival(again) - self.arrival(frame.next().unwrap())).as_secs_f64()
    }

    fn now(&self) -> Instant {
        self.pair.now
    }

    fn sdp(&self, side: usize) -> String {
        self.pair.ends[side].engine.local_description().unwrap().sdp
    }

    /// What stands behind the first such words of the description.
    fn line(&self, side: usize, start: &str) -> String {
        let sdp = self.sdp(side);
        let line = sdp.lines().find_map(|it| it.strip_prefix(start));
        line.unwrap().to_owned()
    }

    /// The last report that has come to the other side, and all before.
    fn reports(&self, from: usize, kind: u8) -> Vec<&Seen> {
        let all = self.sent_by(from).filter(|it| it.is_report(kind));
        all.filter(|it| self.arrival(it) <= self.now()).collect()
    }

    fn common(&self, mut members: Value) -> Value {
        let own = members.as_object_mut().unwrap();
        own.entry("timestamp").or_insert(millis(self.now()));
        members
    }

    fn transport(&self, side: usize) -> Value {
        let [sent, received] = self.payload(side);
        let (ice_role, dtls_role) = [("controlling", "server"), ("controlled", "client")][side];
        self.common(json!({
            "type": "transport", "dtlsState": "connected", "iceState": "completed",
            "packetsSent": sent.0, "bytesSent": sent.1, "packetsReceived": received.0, "bytesReceived": received.1,
            "iceRole": ice_role, "dtlsRole": dtls_role,
            "iceLocalUsernameFragment": self.line(side, "a=ice-ufrag:"),
            "selectedCandidatePairId": "the candidate-pair", "selectedCandidatePairChanges": 1,
            "localCertificateId": "the local certificate", "remoteCertificateId": "the remote certificate",
            "tlsVersion": "FEFC", "dtlsCipher": "TLS_AES_128_GCM_SHA256", "srtpCipher": "SRTP_AEAD_AES_128_GCM",
        }))
    }

    /// Datagrams and bytes that a side has sent, and those that it has received; when the last of each was.
    fn payload(&self, side: usize) -> [(usize, usize, Instant); 2] {
        let count = |all: Vec<&Seen>, last: Instant| {
            (
                all.len(),
                all.iter().map(|it| it.datagram.len()).sum::<usize>(),
                last,
            )
        };
        let sent: Vec<_> = self.sent_by(side).filter(|it| it.is_payload()).collect();
        let came = self
            .sent_by(1 - side)
            .filter(|it| it.is_payload() && !it.lost);
        let came: Vec<_> = came.filter(|it| self.arrival(it) <= self.now()).collect();
        let (last_sent, last_came) = (sent.last().unwrap().at, self.arrival(came.last().unwrap()));
        [count(sent, last_sent), count(came, last_came)]
    }

    fn pair_of_candidates(&self, side: usize) -> Value {
        let [sent, received] = self.payload(side);
        let stun = |from: usize, class: u8, since: Instant| {
            let all = self
                .sent_by(from)
                .filter(|it| it.is_stun(class) && it.at >= since);
            all.count()
        };
        let all = |from, class| stun(from, class, epoch());
        let round_trips = self.round_trips(side);
        // RFC 7675 §5.1: from the first seconds on, and none before the pair is in use.
        let consent = stun(side, 0, self.connected + ms(1_000));
        self.common(json!({
            "type": "candidate-pair", "state": "succeeded", "nominated": true, "transportId": "the transport",
            "localCandidateId": "the local-candidate", "remoteCandidateId": "the remote-candidate",
            "packetsSent": sent.0, "bytesSent": sent.1, "packetsReceived": received.0, "bytesReceived": received.1,
            "lastPacketSentTimestamp": millis(sent.2), "lastPacketReceivedTimestamp": millis(received.2),
            "currentRoundTripTime": round_trips.last().unwrap(), "totalRoundTripTime": round_trips.iter().sum::<f64>(),
            "requestsSent": all(side, 0) - consent, "consentRequestsSent": consent,
            "requestsReceived": all(1 - side, 0), "responsesSent": all(side, 1), "responsesReceived": all(1 - side, 1),
        }))
    }

    fn candidate(&self, of: usize, kind: &str) -> Value {
        let line = self.line(of, "a=candidate:");
        let parts: Vec<_> = line.split(' ').collect();
        let [foundation, _, protocol, priority, address, port, _, found] = parts[..8] else {
            panic!("{line}");
        };
        self.common(json!({
            "type": kind, "transportId": "the transport", "foundation": foundation, "protocol": protocol,
            "priority": priority.parse::<u32>().unwrap(), "address": address, "port": port.parse::<u16>().unwrap(),
            "candidateType": found, "usernameFragment": self.line(of, "a=ice-ufrag:"),
        }))
    }

    fn certificate(&self, of: usize) -> Value {
        let shown = self.pair.ends[1 - of].engine.transports().next().unwrap();
        let line = self.line(of, "a=fingerprint:");
        let (algorithm, fingerprint) = line.split_once(' ').unwrap();
        self.common(json!({
            "type": "certificate", "fingerprintAlgorithm": algorithm, "fingerprint": fingerprint,
            "base64Certificate": STANDARD.encode(&shown.remote_certificates()[0]),
        }))
    }

    fn codec(&self) -> Value {
        let number = self.stream(false)[0].datagram[1] & 0x7f;
        let map = self.line(0, &format!("a=rtpmap:{number} "));
        let mut parts = map.split('/');
        let (name, rate) = (parts.next().unwrap(), parts.next().unwrap());
        let mut it = json!({
            "type": "codec", "transportId": "the transport", "payloadType": number,
            "mimeType": format!("{}/{name}", self.kind), "clockRate": rate.parse::<u32>().unwrap(),
        });
        if self.kind == MediaKind::Audio {
            it["channels"] = json!(parts.next().unwrap().parse::<u32>().unwrap());
            it["sdpFmtpLine"] = json!(self.line(0, &format!("a=fmtp:{number} ")));
        }
        self.common(it)
    }

    fn source(&self) -> Value {
        let lasted = f64::from(self.frames()) * self.interval().as_secs_f64();
        let common =
            json!({"type": "media-source", "kind": self.kind.to_string(), "trackIdentifier": "1"});
        // RFC 6464 §3: 20 dB below the overload, a tenth of the level.
        let own = match self.kind {
            MediaKind::Audio => json!({
                "audioLevel": 0.1, "totalAudioEnergy": lasted / 100.0, "totalSamplesDuration": lasted,
            }),
            MediaKind::Video => json!({
                "width": 320, "height": 180, "frames": self.frames(), "framesPerSecond": self.of_a_second(self.given.iter()),
            }),
        };
        self.common(with(common, own))
    }

    fn of_a_second<'a>(&self, all: impl Iterator<Item = &'a Instant>) -> f64 {
        all.filter(|at| self.now() - **at < Duration::from_secs(1))
            .count() as f64
    }

    fn outbound(&self) -> Value {
        let (first, again) = (self.stream(false), self.stream(true));
        let bytes = |all: &[&Seen]| all.iter().map(|it| it.payload()).sum::<usize>();
        let headers = |all: &[&Seen]| all.iter().map(|it| it.header()).sum::<usize>();
        // RFC 4588 §4: the number of the lost packet stands before its payload.
        let repair = bytes(&again) - 2 * again.len();
        let late = first
            .iter()
            .filter(|it| !self.given.contains(&it.at))
            .count();
        let common = json!({
            "type": "outbound-rtp", "kind": self.kind.to_string(), "ssrc": self.ssrc, "mid": "0", "active": true,
            "transportId": "the transport", "codecId": "the codec", "mediaSourceId": "the media-source",
            "remoteId": "the remote-inbound-rtp", "packetsSent": first.len() + again.len(),
            "bytesSent": bytes(&first) + repair, "headerBytesSent": headers(&first) + headers(&again) + 2 * again.len(),
            "retransmittedPacketsSent": again.len(), "retransmittedBytesSent": repair, "nackCount": again.len(),
            "totalPacketSendDelay": late as f64 * LATE.as_secs_f64(), "targetBitrate": TARGET,
        });
        let own = match self.kind {
            MediaKind::Audio => json!({}),
            MediaKind::Video => json!({
                "rtxSsrc": again[0].ssrc(), "encodingIndex": 0, "frameWidth": 320, "frameHeight": 180,
                "framesEncoded": self.frames(), "framesSent": self.frames(), "keyFramesEncoded": 1, "hugeFramesSent": 0,
                "framesPerSecond": self.of_a_second(self.given.iter()), "firCount": 0, "pliCount": 0,
            }),
        };
        self.common(with(common, own))
    }

    /// RFC 3550 §A.8, of what had come by then; in seconds.
    fn jitter(&self, by: Instant) -> f64 {
        let mut jitter = 0.0;
        let mut before: Option<f64> = None;
        for it in self.came().iter().filter(|it| self.arrival(it) <= by) {
            let arrival = (self.arrival(it) - epoch()).as_secs_f64() * self.rate();
            let transit = arrival - f64::from(it.timestamp());
            if let Some(before) = before.replace(transit) {
                jitter += ((transit - before).abs() - jitter) / 16.0;
            }
        }
        jitter / self.rate()
    }

    fn inbound(&self) -> Value {
        let (came, again) = (self.came(), self.stream(true));
        // RFC 4588 §4: a retransmission is of another stream, and the packet stays lost in its own.
        let lost = self.stream(false).len() - came.len();
        let bytes = |all: &[&Seen]| all.iter().map(|it| it.payload()).sum::<usize>();
        let headers = |all: &[&Seen]| all.iter().map(|it| it.header()).sum::<usize>();
        let repair = bytes(&again) - 2 * again.len();
        let last = came
            .iter()
            .chain(&again)
            .map(|it| self.arrival(it))
            .max()
            .unwrap();
        let read = self.read.last().unwrap();
        let captured = read.captured + (self.now() - read.at);
        let common = json!({
            "type": "inbound-rtp", "kind": self.kind.to_string(), "ssrc": self.ssrc, "mid": "0", "trackIdentifier": "0",
            "transportId": "the transport", "codecId": "the codec", "remoteId": "the remote-outbound-rtp",
            "packetsReceived": came.len() + again.len(), "packetsLost": lost, "packetsDiscarded": 0,
            "jitter": [self.jitter(self.now()), 2.0 / self.rate()],
            "bytesReceived": bytes(&came) + repair, "headerBytesReceived": headers(&came) + headers(&again) + 2 * again.len(),
            "retransmittedPacketsReceived": again.len(), "retransmittedBytesReceived": repair, "nackCount": again.len(),
            "lastPacketReceivedTimestamp": millis(last),
            "estimatedPlayoutTimestamp": millis(captured).as_f64().unwrap() + SINCE_1900 * 1000.0,
            "jitterBufferDelay": [self.waited(), 0.001], "jitterBufferEmittedCount": self.emitted(),
            "jitterBufferTargetDelay": WANTED.as_secs_f64() * self.emitted(), "jitterBufferMinimumDelay": Value::Null,
        });
        let own = match self.kind {
            MediaKind::Audio => {
                let lasted = self.read.len() as f64 * 0.02;
                json!({
                    "audioLevel": 0.1, "totalAudioEnergy": lasted / 100.0, "totalSamplesDuration": lasted,
                    "totalSamplesReceived": self.emitted(),
                })
            }
            MediaKind::Video => json!({
                "rtxSsrc": again[0].ssrc(), "frameWidth": 320, "frameHeight": 180, "framesReceived": self.frames(),
                "framesDecoded": self.read.len(), "keyFramesDecoded": 1, "framesDropped": 0,
                "framesPerSecond": self.of_a_second(self.read.iter().map(|it| &it.at)), "freezeCount": 0,
                "totalFreezesDuration": 0.0, "framesAssembledFromMultiplePackets": self.frames(),
                "totalAssemblyTime": self.assembly(again[0]),
                "firCount": 0, "pliCount": 0,
            }),
        };
        self.common(with(common, own))
    }

    fn lost(&self) -> &Seen {
        self.seen.iter().find(|it| it.lost).unwrap()
    }

    /// What has left the jitter buffer: frames, or samples of them.
    fn emitted(&self) -> f64 {
        let units = match self.kind {
            MediaKind::Audio => 960.0,
            MediaKind::Video => 1.0,
        };
        self.read.len() as f64 * units
    }

    /// From the first packet of a frame until it was read, in samples or frames by seconds.
    fn waited(&self) -> f64 {
        let waited = self.read.iter().map(|read| {
            let index = self
                .given
                .iter()
                .position(|it| *it == read.captured)
                .unwrap();
            let late = if index % 2 == 1 { LATE } else { Duration::ZERO };
            (read.at - (read.captured + late + DELAY)).as_secs_f64()
        });
        waited.sum::<f64>() * self.emitted() / self.read.len() as f64
    }

    fn remote_inbound(&self) -> Value {
        let reports = self.reports(1, 201);
        let last = reports.last().unwrap();
        let by = |at: Instant| {
            self.came()
                .iter()
                .filter(|it| self.arrival(it) <= at)
                .count()
        };
        let sent_by = |at: Instant| {
            self.stream(false)
                .iter()
                .filter(|it| self.arrival(it) <= at)
                .count()
        };
        let known = by(last.at);
        let before = reports
            .len()
            .checked_sub(2)
            .map_or(epoch(), |it| reports[it].at);
        let expected = sent_by(last.at) - sent_by(before);
        let missing = expected - (known - by(before));
        // RFC 3550 §6.4.1: a round trip each time that the sender's report had come before.
        let first = self.arrival(self.reports(0, 200)[0]);
        let measured = reports.iter().filter(|it| it.at >= first).count();
        self.common(json!({
            "type": "remote-inbound-rtp", "kind": self.kind.to_string(), "ssrc": self.ssrc, "timestamp": millis(self.arrival(last)),
            "transportId": "the transport", "codecId": "the codec", "localId": "the outbound-rtp",
            "packetsReceived": known, "packetsLost": sent_by(last.at) - known,
            "jitter": [self.jitter(last.at), 2.0 / self.rate()],
            "fractionLost": (missing * 256 / expected) as f64 / 256.0, "roundTripTime": [0.02, 0.0001],
            "totalRoundTripTime": [0.02 * measured as f64, 0.001], "roundTripTimeMeasurements": measured,
        }))
    }

    fn remote_outbound(&self) -> Value {
        let reports = self.reports(0, 200);
        let last = reports.last().unwrap();
        let before = self.seen.iter().take_while(|it| !std::ptr::eq(*it, *last));
        let sent = before.filter(|it| it.is_rtp() && it.ssrc() == self.ssrc);
        let sent: Vec<_> = sent.collect();
        // RFC 3611 §4.5: a round trip each time that the receiver's report had come before.
        let first = self.arrival(self.reports(1, 201)[0]);
        let measured = reports.iter().filter(|it| it.at >= first).count();
        self.common(json!({
            "type": "remote-outbound-rtp", "kind": self.kind.to_string(), "ssrc": self.ssrc,
            "timestamp": millis(self.arrival(last)), "remoteTimestamp": millis(last.at), "transportId": "the transport",
            "codecId": "the codec", "localId": "the inbound-rtp", "packetsSent": sent.len(),
            "bytesSent": sent.iter().map(|it| it.payload()).sum::<usize>(), "reportsSent": reports.len(),
            "roundTripTime": [0.02, 0.0001], "totalRoundTripTime": [0.02 * measured as f64, 0.001],
            "roundTripTimeMeasurements": measured,
        }))
    }

    fn expected(&self, side: usize) -> Map<String, Value> {
        let connection =
            json!({"type": "peer-connection", "dataChannelsOpened": 0, "dataChannelsClosed": 0});
        let mut all = vec![
            ("peer-connection", self.common(connection)),
            ("transport", self.transport(side)),
            ("candidate-pair", self.pair_of_candidates(side)),
            ("local-candidate", self.candidate(side, "local-candidate")),
            (
                "remote-candidate",
                self.candidate(1 - side, "remote-candidate"),
            ),
            ("local certificate", self.certificate(side)),
            ("remote certificate", self.certificate(1 - side)),
            ("codec", self.codec()),
        ];
        match side {
            0 => all.extend([
                ("media-source", self.source()),
                ("outbound-rtp", self.outbound()),
                ("remote-inbound-rtp", self.remote_inbound()),
            ]),
            _ => all.extend([
                ("inbound-rtp", self.inbound()),
                ("remote-outbound-rtp", self.remote_outbound()),
            ]),
        }
        all.into_iter()
            .map(|(name, it)| (name.to_owned(), it))
            .collect()
    }
}

/// [8.7-01] [8.7-03] [8.4-02] Each member that is counted here has the value that the exchange gives it, and no other is there.
#[test]
fn every_member_has_its_value() {
    let mut wrong = Vec::new();
    for kind in [MediaKind::Audio, MediaKind::Video] {
        let exchange = Exchange::of(kind);
        for side in 0..2 {
            let report = exchange.pair.ends[side].engine.stats(exchange.now());
            let (table, expected) = (table(&report), exchange.expected(side));
            let names = |it: &Map<String, Value>| it.keys().cloned().collect::<BTreeSet<_>>();
            assert_eq!(names(&table), names(&expected));
            for (name, it) in &table {
                let (it, expected) = (it.as_object().unwrap(), expected[name].as_object().unwrap());
                for member in names(it).union(&names(expected)) {
                    let (is, wanted) = (it.get(member), expected.get(member));
                    if !agree(is, wanted) {
                        wrong.push(format!(
                            "{kind} {side} {name}.{member}: {is:?}, and not {wanted:?}"
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{:#?}", wrong);
}

/// The same value, or any where another test looks at it; numbers that are no integers to a millionth, or to what stands behind them.
fn agree(is: Option<&Value>, wanted: Option<&Value>) -> bool {
    if wanted == Some(&Value::Null) {
        return is.is_some();
    }
    let (Some(is), Some(wanted)) = (is, wanted) else {
        return is == wanted;
    };
    let (wanted, within) = match wanted.as_array() {
        Some(pair) => (&pair[0], pair[1].as_f64().unwrap()),
        None => (
            wanted,
            1e-6 * wanted.as_f64().map_or(0.0, |it| it.abs().clamp(1e-3, 1e3)),
        ),
    };
    match (is.as_f64(), wanted.as_f64()) {
        (Some(is), Some(wanted)) => (is - wanted).abs() <= within,
        _ => is == wanted,
    }
}

fn with(mut one: Value, other: Value) -> Value {
    let own = other.as_object().unwrap().clone();
    one.as_object_mut().unwrap().extend(own);
    one
}

/// Milliseconds since 1970, by the clock of both.
fn millis(at: Instant) -> Value {
    json!((Duration::from_secs(1_700_000_000) + (at - epoch())).as_secs_f64() * 1000.0)
}

/// A report without what chance decides: objects by their type, and what each of them refers to by the type of that.
fn table(report: &StatsReport) -> Map<String, Value> {
    let mut all = Map::new();
    for object in report {
        let mut it = serde_json::to_value(object).unwrap();
        let members = it.as_object_mut().unwrap();
        members.remove("id");
        for value in members.values_mut() {
            let object = value.as_str().and_then(|id| report.get(id));
            if let Some(object) = object {
                *value = json!(format!("the {}", name(report, object)));
            }
        }
        let before = all.insert(name(report, object), it);
        assert!(before.is_none(), "two of {object:?}");
    }
    all
}

fn name(report: &StatsReport, object: &StatsObject) -> String {
    let kind = serde_json::to_value(object.kind()).unwrap();
    let kind = kind.as_str().unwrap();
    let StatsObject::Certificate(it) = object else {
        return kind.to_owned();
    };
    let transport = report.transports().next().unwrap();
    let is_local = transport.local_certificate_id.as_ref() == Some(&it.stats.id);
    format!("{} {kind}", if is_local { "local" } else { "remote" })
}
