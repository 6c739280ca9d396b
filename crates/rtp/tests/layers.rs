//! AV1 with layers, which its dependency descriptors tell: what is left out on the way, and how frames are numbered.
#![expect(clippy::unwrap_used, reason = "a failing step is a failing test")]

mod support;

use oxirtc_netsim::{epoch, ms};
use oxirtc_rtp::{
    Carries, Choice, Delivery, Encoding, Form, Format, Rtp, RtpHead, Section, Session, Writer,
    extension::{Descriptor, Ids, Indication, Kind, Structure, Template},
    payload::Codec,
};

use support::{VIDEO, encoding, session};

const DESCRIPTOR: u8 = 9;

/// Two spatial layers with two temporal ones each.
fn l2t2() -> Structure {
    use Indication::{Discardable, NotPresent, Required, Switch};
    let template =
        |spatial, temporal, indications: [Indication; 4], differences: &[u16]| Template {
            spatial,
            temporal,
            indications: indications.into(),
            differences: differences.into(),
            chains: Vec::new(),
        };
    // Decode targets: spatial 0 with temporal 0 and 1, spatial 1 with temporal 0 and 1.
    Structure {
        first: 0,
        targets: 4,
        templates: vec![
            template(0, 0, [Switch; 4], &[]),
            template(0, 0, [Switch; 4], &[4]),
            template(0, 1, [NotPresent, Discardable, NotPresent, Required], &[2]),
            template(1, 0, [NotPresent, NotPresent, Switch, Switch], &[1]),
            template(
                1,
                1,
                [NotPresent, NotPresent, NotPresent, Discardable],
                &[1, 2],
            ),
        ],
        chains: 0,
        protected_by: Vec::new(),
        resolutions: Vec::new(),
    }
}

fn section() -> Section {
    Section {
        formats: vec![Format {
            payload_type: 45,
            role: Carries::Media(Codec::Av1),
            clock: 90_000,
        }],
        ids: Ids::new().with(Kind::Descriptor, DESCRIPTOR),
        mixed: true,
        receives: true,
        ..Section::default()
    }
}

/// A source that is received: packet by packet, one a layer.
struct Source {
    sequence: u16,
    frame: u16,
    ssrc: u32,
}

impl Source {
    /// The packets of one picture: both spatial layers.
    fn picture(&mut self, at: u16) -> [Vec<u8>; 2] {
        let temporal = at % 2;
        let key = at == 0;
        [0, 1].map(|spatial| {
            let template = match (spatial, temporal) {
                (0, 0) if key => 0,
                (0, 0) => 1,
                (0, _) => 2,
                (_, 0) => 3,
                _ => 4,
            };
            let descriptor = Descriptor {
                begins: true,
                ends: true,
                template,
                frame: self.frame,
                structure: (key && spatial == 0).then(l2t2),
                ..Descriptor::default()
            };
            let head = RtpHead {
                payload_type: 45,
                marker: spatial == 1,
                sequence: self.sequence,
                timestamp: 3000 * u32::from(at),
                ssrc: self.ssrc,
            };
            let mut packet = Vec::new();
            let mut value = Vec::new();
            descriptor.write(&mut value, Some(&l2t2()));
            let mut writer = Writer::begin(&mut packet, head, &[], Form::TwoBytes);
            assert!(writer.extend(DESCRIPTOR, &value));
            writer.finish();
            // One unit that is a frame; N of the aggregation header says that a key frame begins.
            let begins = key && spatial == 0;
            packet.extend_from_slice(&[0x10 | u8::from(begins) << 3]);
            packet.extend_from_slice(if begins {
                &[0x08, 0, 0, 0]
            } else {
                &[0x30, 1, 2, 3]
            });
            self.sequence = self.sequence.wrapping_add(1);
            self.frame = self.frame.wrapping_add(1);
            packet
        })
    }
}

/// What goes out: number, marker, and the frame's number and template of its descriptor.
type Sent = (u16, bool, u16, u8);

struct Node {
    structure: Structure,
    receives: Session,
    sends: Session,
    sent: Vec<Sent>,
}

impl Node {
    fn new(choice: Choice) -> Self {
        let mut receives = session(1);
        receives.set_section(VIDEO, section());
        let packets = Delivery {
            packets: true,
            ..Delivery::default()
        };
        receives.set_delivery(VIDEO, packets);
        let mut sends = session(2);
        sends.set_section(VIDEO, section());
        let mut node = Self {
            structure: l2t2(),
            receives,
            sends,
            sent: Vec::new(),
        };
        node.choose(choice);
        node
    }

    fn choose(&mut self, choice: Choice) {
        let encoding = Encoding {
            choice,
            rtx: None,
            ..encoding(77, 0)
        };
        self.sends.set_encodings(VIDEO, &[encoding]);
    }

    fn pass(&mut self, at: u64, packets: &[Vec<u8>]) {
        let now = epoch() + ms(33 * at);
        for packet in packets {
            self.receives.handle_rtp(now, packet);
        }
        while let Some((id, lane, batch)) = self.receives.poll_batch() {
            self.sends.write(now, id, lane, &batch);
        }
        while self.sends.peek(now).is_some() {
            let mut buf = Vec::new();
            self.sends.poll_rtp(now, 1500, &mut buf).unwrap();
            let rtp = Rtp::parse(&buf).unwrap();
            let value = rtp
                .extensions
                .clone()
                .find(|it| it.0 == DESCRIPTOR)
                .unwrap()
                .1;
            let descriptor = Descriptor::parse(value, Some(&self.structure)).unwrap();
            self.sent.push((
                rtp.head.sequence,
                rtp.head.marker,
                descriptor.frame,
                descriptor.template,
            ));
        }
    }
}

fn choice(spatial: u8, temporal: u8) -> Choice {
    Choice {
        lane: 0,
        spatial,
        temporal,
    }
}

fn source(frame: u16) -> Source {
    Source {
        sequence: 500,
        frame,
        ssrc: 9,
    }
}

#[test]
fn layers_are_left_out_by_their_descriptors() {
    for (most, templates) in [
        (choice(7, 7), &[0, 3, 2, 4, 1, 3, 2, 4][..]),
        (choice(0, 7), &[0, 2, 1, 2]),
        (choice(1, 0), &[0, 3, 1, 3]),
        (choice(0, 0), &[0, 1]),
    ] {
        let (mut node, mut source) = (Node::new(most), source(65_534));
        for at in 0..4 {
            let packets = source.picture(at);
            node.pass(at.into(), &packets);
        }
        let sent = &node.sent;
        assert_eq!(sent.iter().map(|it| it.3).collect::<Vec<_>>(), templates);
        // Numbers close up, those of frames do not: what a frame needs is told as a distance.
        assert!(sent.windows(2).all(|it| it[1].0 == it[0].0.wrapping_add(1)));
        let place = |template: u8, at: usize| -> u16 {
            let spatial = u16::from(template > 2);
            let picture = sent[..at].iter().filter(|it| it.3 <= 2).count() as u16;
            let picture = if spatial == 1 { picture - 1 } else { picture };
            let step = if most.temporal == 0 { 2 } else { 1 };
            65_534_u16.wrapping_add(2 * step * picture + spatial)
        };
        for (at, it) in sent.iter().enumerate() {
            assert_eq!(it.2, place(it.3, at), "{most:?}: {sent:?}");
        }
        // The marker stands where the highest layer that goes out ends.
        let top = sent.iter().map(|it| it.3 > 2).max().unwrap();
        assert!(sent.iter().all(|it| it.1 == (!top || it.3 > 2)), "{sent:?}");
    }
}

/// Of another source the numbers of frames go on.
#[test]
fn frames_are_numbered_on_over_a_switch() {
    let mut node = Node::new(choice(7, 7));
    let mut first = source(100);
    for at in 0..2 {
        node.pass(at.into(), &first.picture(at));
    }
    node.sends.change_source(VIDEO);
    let mut second = Source {
        sequence: 9000,
        frame: 40_000,
        ssrc: 10,
    };
    for at in 0..2 {
        node.pass(2 + u64::from(at), &second.picture(at));
    }
    let frames: Vec<_> = node.sent.iter().map(|it| it.2).collect();
    assert_eq!(frames, [100, 101, 102, 103, 104, 105, 106, 107]);
}

/// A temporal layer that was left out is taken in one above the other, where the descriptors say that nobody of it is needed.
#[test]
fn temporal_layers_are_taken_in_again() {
    let (mut node, mut source) = (Node::new(choice(7, 0)), source(0));
    for at in 0..2 {
        node.pass(at.into(), &source.picture(at));
    }
    assert_eq!(node.sent.len(), 2);
    node.choose(choice(7, 7));
    for at in 2..6 {
        node.pass(at.into(), &source.picture(at));
    }
    let templates: Vec<_> = node.sent.iter().skip(2).map(|it| it.3).collect();
    // The lower layer's frame is needed by the upper one of the same picture only.
    assert_eq!(templates, [1, 3, 2, 4, 1, 3, 2, 4], "{:?}", node.sent);
}

/// One spatial layer with three temporal ones: 0 2 1 2.
fn l1t3() -> Structure {
    use Indication::{Discardable, NotPresent, Switch};
    let template = |temporal, indications: [Indication; 3], differences: &[u16]| Template {
        spatial: 0,
        temporal,
        indications: indications.into(),
        differences: differences.into(),
        chains: Vec::new(),
    };
    Structure {
        first: 0,
        targets: 3,
        templates: vec![
            template(0, [Switch; 3], &[]),
            template(0, [Switch; 3], &[4]),
            template(1, [NotPresent, Discardable, Switch], &[2]),
            template(2, [NotPresent, NotPresent, Discardable], &[1]),
        ],
        chains: 0,
        protected_by: Vec::new(),
        resolutions: Vec::new(),
    }
}

/// Of two layers that were left out the upper one needs the lower one, whatever is said of those who have both.
#[test]
fn temporal_layers_are_taken_in_one_above_the_other() {
    let mut node = Node::new(choice(7, 0));
    node.structure = l1t3();
    for at in 0..8_u16 {
        if at == 3 {
            node.choose(choice(7, 7));
        }
        let key = at == 0;
        let template = match at % 4 {
            0 if key => 0,
            0 => 1,
            2 => 2,
            _ => 3,
        };
        let descriptor = Descriptor {
            begins: true,
            ends: true,
            template,
            frame: at,
            structure: key.then(l1t3),
            ..Descriptor::default()
        };
        let head = RtpHead {
            payload_type: 45,
            marker: true,
            sequence: 500 + at,
            timestamp: 3000 * u32::from(at),
            ssrc: 9,
        };
        let (mut packet, mut value) = (Vec::new(), Vec::new());
        descriptor.write(&mut value, Some(&l1t3()));
        let mut writer = Writer::begin(&mut packet, head, &[], Form::TwoBytes);
        assert!(writer.extend(DESCRIPTOR, &value));
        writer.finish();
        packet.extend_from_slice(&[0x10 | u8::from(key) << 3]);
        packet.extend_from_slice(if key {
            &[0x08, 0, 0, 0]
        } else {
            &[0x30, 1, 2, 3]
        });
        node.pass(at.into(), &[packet]);
    }
    let frames: Vec<_> = node.sent.iter().map(|it| it.2).collect();
    // The third is of the highest layer and needs the second, which was left out, as does the fifth what is below it.
    assert_eq!(frames, [0, 4, 6, 7]);
}
