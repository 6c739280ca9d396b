//! Which frames a frame needs: what is written with it at one end is read with it at the other, by the words of its codec.

mod pair;

use oxirtc_netsim::{Link, ms};
use oxirtc_peerconnection::{
    ErrorKind, MediaKind,
    engine::{Cutter, TransceiverId},
    media::{
        Av1Dependencies, Av1Frame, Codec, DecodeTargetIndication, Dependencies,
        DependencyStructure, DependencyTemplate, EncodedFrame, FrameKind, Layer, Vp8Dependencies,
        Vp9Dependencies, Vp9Layer,
    },
};

use pair::{
    Pair,
    media::{asked, sending},
};

/// A sender of video to a peer that reads frames.
struct Call {
    pair: Pair,
    ids: [TransceiverId; 2],
    cutter: Cutter,
}

impl Call {
    fn new() -> Self {
        let (pair, ids) = sending(1, Link::new(1).delay(ms(5)), MediaKind::Video);
        Self {
            pair,
            ids,
            cutter: Cutter::new(),
        }
    }

    /// What is read of a frame that is written.
    fn pass(&mut self, frame: &EncodedFrame) -> EncodedFrame {
        let now = self.pair.now;
        let batch = self.cutter.cut_frame(now, 0, frame);
        let batch = batch.expect("a frame as its codec has it");
        self.pair.ends[0].engine.write(now, self.ids[0], &batch);
        self.pair.run(ms(33));
        let now = self.pair.now;
        let read = self.pair.ends[1].engine.read_frame(now, self.ids[1]);
        read.expect("it comes whole")
    }

    fn refuses(&mut self, frame: &EncodedFrame) {
        let refused = self.cutter.cut_frame(self.pair.now, 0, frame);
        assert_eq!(refused.err().map(|it| it.kind()), Some(ErrorKind::Type));
    }
}

fn frame(codec: Codec, payload: Vec<u8>, temporal: u8, needs: Dependencies) -> EncodedFrame {
    let mut frame = EncodedFrame::new(codec, payload);
    frame.layer = Layer {
        spatial: 0,
        temporal,
    };
    frame.dependencies = Some(needs);
    frame
}

fn vp8(key: bool, temporal: u8, sync: bool, discardable: bool) -> EncodedFrame {
    let mut payload = vec![7; 3000];
    payload[..10].copy_from_slice(&[u8::from(!key), 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
    let needs = Dependencies::Vp8(Vp8Dependencies {
        tl0: Some(0),
        sync,
        discardable,
        ..Vp8Dependencies::default()
    });
    frame(Codec::Vp8, payload, temporal, needs)
}

#[test]
fn temporal_layers_of_vp8() {
    let mut call = Call::new();
    let mut seen = Vec::new();
    for (key, temporal, sync, discardable) in [
        (true, 0, false, false),
        (false, 1, true, true),
        (false, 0, false, false),
        (false, 1, false, true),
    ] {
        let read = call.pass(&vp8(key, temporal, sync, discardable));
        assert_eq!(read.layer.temporal, temporal);
        let Some(Dependencies::Vp8(it)) = read.dependencies else {
            panic!("{:?}", read.dependencies);
        };
        assert_eq!((it.sync, it.discardable), (sync, discardable));
        seen.push((it.picture.unwrap(), it.tl0.unwrap()));
    }
    let (picture, tl0) = seen[0];
    let steps = [(0, 0), (1, 0), (2, 1), (3, 1)];
    let expected = steps.map(|(a, b)| ((picture + a) & 0x7fff, tl0.wrapping_add(b)));
    assert_eq!(seen, expected, "pictures, and those of the lowest layer");
}

/// A frame of VP9; of a key frame the header as far as it tells the size.
fn vp9(key: bool, len: usize, filler: u8) -> Vec<u8> {
    let mut payload = vec![filler; len];
    if key {
        // 320 by 180, BT.601: 3 bits of colour, one of range, then the size less one.
        payload[..8].copy_from_slice(&[0x82, 0x49, 0x83, 0x42, 0x20, 0x13, 0xf0, 0x0b]);
        payload[8] = 0x30;
    } else {
        payload[0] = 0x86;
    }
    payload
}

fn layer(spatial: u8, bytes: usize) -> Vp9Layer {
    Vp9Layer {
        spatial,
        bytes,
        ..Vp9Layer::default()
    }
}

#[test]
fn layers_of_vp9() {
    let mut call = Call::new();
    let lower = Vp9Layer {
        needs_earlier: false,
        ..layer(0, 1500)
    };
    let upper = Vp9Layer {
        needs_below: true,
        not_needed_above: true,
        ..layer(1, 4000)
    };
    let key = Vp9Dependencies {
        layered: true,
        switch: true,
        layers: vec![lower.clone(), upper.clone()],
        ..Vp9Dependencies::default()
    };
    let payload = [vp9(true, 1500, 1), vp9(false, 4000, 2)].concat();
    let read = call.pass(&frame(
        Codec::Vp9,
        payload.clone(),
        0,
        Dependencies::Vp9(key.clone()),
    ));
    assert_eq!((read.kind, read.size), (FrameKind::Key, Some((320, 180))));
    assert_eq!(read.payload, payload);
    let Some(Dependencies::Vp9(first)) = read.dependencies else {
        panic!("{:?}", read.dependencies);
    };
    assert_eq!((first.layered, first.switch), (true, true));
    assert_eq!(first.layers, key.layers);

    let earlier = |layer: &Vp9Layer| Vp9Layer {
        needs_earlier: true,
        ..layer.clone()
    };
    let delta = Vp9Dependencies {
        layers: vec![earlier(&lower), earlier(&upper)],
        switch: false,
        ..key
    };
    let payload = [vp9(false, 1500, 3), vp9(false, 4000, 4)].concat();
    let mut written = frame(Codec::Vp9, payload, 1, Dependencies::Vp9(delta.clone()));
    let read = call.pass(&written);
    assert_eq!((read.kind, read.layer.temporal), (FrameKind::Delta, 1));
    let Some(Dependencies::Vp9(second)) = read.dependencies else {
        panic!("{:?}", read.dependencies);
    };
    assert_eq!(second.layers, delta.layers);
    assert_eq!(second.tl0, first.tl0, "it is of an upper layer");
    assert_eq!(second.picture, first.picture.map(|it| (it + 1) & 0x7fff));

    // What does not part the payload into layers, from below to above, is none of it.
    let wrong = [
        vec![layer(0, 1500)],
        vec![layer(0, 1500), layer(1, 4001)],
        vec![layer(0, 0), layer(1, 5500)],
        vec![layer(1, 1500), layer(1, 4000)],
        vec![layer(0, 1500), layer(8, 4000)],
        Vec::new(),
    ];
    for layers in wrong {
        let needs = Vp9Dependencies {
            layers,
            ..delta.clone()
        };
        written.dependencies = Some(Dependencies::Vp9(needs));
        call.refuses(&written);
    }
}

#[test]
fn flexible_mode_of_vp9() {
    let mut call = Call::new();
    let picture = |key: bool, differences: Vec<u8>| {
        let needs = Vp9Dependencies {
            layered: true,
            layers: vec![Vp9Layer {
                needs_earlier: !differences.is_empty(),
                differences: Some(differences),
                ..layer(0, 2000)
            }],
            ..Vp9Dependencies::default()
        };
        frame(Codec::Vp9, vp9(key, 2000, 5), 0, Dependencies::Vp9(needs))
    };
    for (key, differences) in [(true, vec![]), (false, vec![1]), (false, vec![1, 2])] {
        let written = picture(key, differences);
        let read = call.pass(&written);
        let (Some(Dependencies::Vp9(read)), Some(Dependencies::Vp9(written))) =
            (read.dependencies, written.dependencies)
        else {
            panic!("words of another codec");
        };
        assert_eq!(read.layers, written.layers);
        assert_eq!(read.tl0, None, "flexible mode has none");
    }
    for wrong in [vec![0], vec![128], vec![1, 2, 3, 4]] {
        call.refuses(&picture(false, wrong));
    }
}

/// A unit of AV1: of a type, of a spatial layer or of none.
fn unit(kind: u8, spatial: Option<u8>, body: &[u8]) -> Vec<u8> {
    let mut unit = vec![kind << 3 | 2 | u8::from(spatial.is_some()) << 2];
    unit.extend(spatial.map(|it| it << 3));
    // Seven bits of the length a byte, the low ones first.
    match body.len() {
        len @ ..128 => unit.push(len as u8),
        len => unit.extend([len as u8 | 0x80, (len >> 7) as u8]),
    }
    unit.extend(body);
    unit
}

/// Two temporal layers, one chain.
fn l1t2() -> DependencyStructure {
    use DecodeTargetIndication::{Discardable, NotPresent, Switch};
    let template = |temporal, indications: [_; 2], differences: &[u16], chain| DependencyTemplate {
        spatial: 0,
        temporal,
        indications: indications.into(),
        differences: differences.into(),
        chains: vec![chain],
    };
    DependencyStructure {
        first: 5,
        targets: 2,
        templates: vec![
            template(0, [Switch, Switch], &[], 0),
            template(0, [Switch, Switch], &[2], 2),
            template(1, [NotPresent, Discardable], &[1], 1),
        ],
        chains: 1,
        protected_by: vec![0, 0],
        resolutions: vec![(320, 180)],
    }
}

fn av1(
    key: bool,
    structure: Option<DependencyStructure>,
    (number, template): (u16, usize),
) -> EncodedFrame {
    let of = l1t2().templates.swap_remove(template);
    let needs = Av1Dependencies {
        structure,
        active: None,
        frames: vec![Av1Frame {
            spatial: of.spatial,
            temporal: of.temporal,
            number,
            indications: of.indications,
            differences: of.differences,
            chains: of.chains,
        }],
    };
    let picture = unit(6, None, &vec![number as u8; 2500]);
    let sequence = unit(1, None, &[9; 11]);
    let payload = if key {
        [sequence, picture].concat()
    } else {
        picture
    };
    frame(Codec::Av1, payload, 0, Dependencies::Av1(needs))
}

fn told(frame: &EncodedFrame) -> &Av1Dependencies {
    match &frame.dependencies {
        Some(Dependencies::Av1(it)) => it,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_dependency_descriptor_of_av1() {
    let mut call = Call::new();
    call.refuses(&av1(true, None, (1, 0)));
    let key = av1(true, Some(l1t2()), (1, 0));
    let read = call.pass(&key);
    assert_eq!((read.kind, told(&read)), (FrameKind::Key, told(&key)));

    let upper = av1(false, None, (2, 2));
    let read = call.pass(&upper);
    assert_eq!((read.kind, read.layer.temporal), (FrameKind::Delta, 1));
    assert_eq!(told(&read), told(&upper));

    // What differs from all templates goes with the frame.
    let mut other = av1(false, None, (3, 1));
    if let Some(Dependencies::Av1(it)) = &mut other.dependencies {
        it.active = Some(1);
        let frame = &mut it.frames[0];
        (frame.differences, frame.chains) = (vec![1, 300], vec![20]);
        frame.indications[0] = DecodeTargetIndication::Required;
    }
    let read = call.pass(&other);
    assert_eq!(told(&read), told(&other));

    // What no descriptor can say is refused, and leaves no gap behind.
    let mut wrong = Vec::new();
    for change in [
        (|it| it.frames[0].temporal = 5) as fn(&mut Av1Dependencies),
        |it| it.frames[0].indications = Vec::new(),
        |it| it.frames[0].differences = vec![5000],
        |it| it.frames[0].chains = vec![1, 2],
        |it| it.frames = Vec::new(),
        |it| it.frames.push(it.frames[0].clone()),
    ] {
        let mut frame = av1(false, None, (4, 1));
        if let Some(Dependencies::Av1(it)) = &mut frame.dependencies {
            change(it);
        }
        wrong.push(frame);
    }
    for change in [
        (|it| it.targets = 33) as fn(&mut DependencyStructure),
        |it| it.templates.swap(0, 2),
        |it| it.protected_by = vec![1, 1],
        |it| it.resolutions.push((1, 1)),
        // More than a header extension can hold.
        |it| it.templates[1].differences = vec![1; 500],
    ] {
        let mut structure = l1t2();
        change(&mut structure);
        wrong.push(av1(true, Some(structure), (4, 0)));
    }
    let before = asked(&call.pair, call.ids[0]);
    wrong.iter().for_each(|it| call.refuses(it));
    let next = av1(false, None, (4, 1));
    let read = call.pass(&next);
    assert_eq!((told(&read), read.missing_before), (told(&next), 0));
    assert_eq!(asked(&call.pair, call.ids[0]), before);

    // A key frame always has its templates, also where the encoder does not say them again.
    let again = call.pass(&av1(true, None, (5, 0)));
    assert_eq!(told(&again).structure, Some(l1t2()));
}

#[test]
fn spatial_layers_of_av1() {
    use DecodeTargetIndication::{NotPresent, Switch};
    let template = |spatial, indications: [_; 2], differences: &[u16]| DependencyTemplate {
        spatial,
        temporal: 0,
        indications: indications.into(),
        differences: differences.into(),
        chains: Vec::new(),
    };
    let structure = DependencyStructure {
        targets: 2,
        templates: vec![
            template(0, [Switch, Switch], &[]),
            template(1, [NotPresent, Switch], &[1]),
        ],
        ..DependencyStructure::default()
    };
    let of = |number, template: &DependencyTemplate| Av1Frame {
        spatial: template.spatial,
        temporal: 0,
        number,
        indications: template.indications.clone(),
        differences: template.differences.clone(),
        chains: Vec::new(),
    };
    let needs = Av1Dependencies {
        frames: vec![
            of(7, &structure.templates[0]),
            of(8, &structure.templates[1]),
        ],
        structure: Some(structure),
        active: Some(3),
    };
    let payload = [
        unit(1, None, &[9; 11]),
        unit(6, Some(0), &[1; 1500]),
        unit(6, Some(1), &[2; 3000]),
    ];
    let written = frame(
        Codec::Av1,
        payload.concat(),
        0,
        Dependencies::Av1(needs.clone()),
    );
    let mut call = Call::new();
    let read = call.pass(&written);
    assert_eq!(told(&read), &needs);
    // A temporal unit begins with its delimiter.
    assert_eq!(read.payload[2..], written.payload);
}

#[test]
fn words_of_another_codec_are_refused() {
    let mut call = Call::new();
    let mut mixed = vp8(true, 0, false, false);
    for needs in [
        Dependencies::Vp9(Vp9Dependencies {
            layers: vec![layer(0, 3000)],
            ..Vp9Dependencies::default()
        }),
        Dependencies::Av1(Av1Dependencies::default()),
    ] {
        mixed.dependencies = Some(needs);
        call.refuses(&mixed);
    }
    // H.264 tells nothing.
    let mut plain = EncodedFrame::new(Codec::H264, vec![0, 0, 0, 1, 0x65, 7, 7, 7]);
    plain.dependencies = Some(Dependencies::Vp8(Vp8Dependencies::default()));
    call.refuses(&plain);
    plain.dependencies = None;
    assert!(call.cutter.cut_frame(call.pair.now, 0, &plain).is_ok());
}
