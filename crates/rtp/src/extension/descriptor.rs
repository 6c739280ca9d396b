//! Which frames a frame needs (AV1 RTP specification, appendix A).

use crate::reader::{BitWriter, Bits};

/// The dependency descriptor of one packet, as it stands on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
    /// The first packet of its frame.
    pub begins: bool,
    /// The last packet of its frame.
    pub ends: bool,
    /// Which template the frame follows.
    pub template: u8,
    /// The frame's number.
    pub frame: u16,
    /// The templates, on the first packet of a key frame.
    pub structure: Option<Structure>,
    /// Which decode targets are still sent, one bit each.
    pub active: Option<u32>,
    /// What differs from the template: indications of the decode targets.
    pub indications: Option<Vec<Indication>>,
    /// What differs: how many frames back those lie that are needed.
    pub differences: Option<Vec<u16>>,
    /// What differs: how many frames back the last one of each chain lies.
    pub chains: Option<Vec<u8>>,
}

/// The templates that frames refer to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Structure {
    /// The number of the first template.
    pub first: u8,
    /// How many decode targets there are, 1 to 32.
    pub targets: u8,
    /// The templates, at most 64.
    pub templates: Vec<Template>,
    /// How many chains there are.
    pub chains: u8,
    /// Which chain protects each decode target; empty without chains.
    pub protected_by: Vec<u8>,
    /// Width and height of each spatial layer; empty if not told.
    pub resolutions: Vec<(u16, u16)>,
}

/// What frames of a kind have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// The spatial layer.
    pub spatial: u8,
    /// The temporal layer.
    pub temporal: u8,
    /// What the frame is to each decode target.
    pub indications: Vec<Indication>,
    /// How many frames back those lie that are needed, 1 to 16 each.
    pub differences: Vec<u16>,
    /// How many frames back the last one of each chain lies.
    pub chains: Vec<u8>,
}

/// What a frame is to a decode target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Indication {
    /// It is not part of it.
    #[default]
    NotPresent = 0,
    /// No frame of the target needs it.
    Discardable = 1,
    /// Who begins with it can go on.
    Switch = 2,
    /// Some frame of the target may need it.
    Required = 3,
}

/// A frame's dependencies, with its template applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The spatial layer.
    pub spatial: u8,
    /// The temporal layer.
    pub temporal: u8,
    /// What the frame is to each decode target.
    pub indications: Vec<Indication>,
    /// How many frames back those lie that are needed; empty for a key frame.
    pub differences: Vec<u16>,
    /// How many frames back the last one of each chain lies.
    pub chains: Vec<u8>,
    /// Width and height, if told.
    pub size: Option<(u16, u16)>,
}

impl Descriptor {
    /// Reads the value. `known` is the structure that was sent last on this stream: without one, only the first three
    /// bytes can be read.
    pub fn parse(value: &[u8], known: Option<&Structure>) -> Option<Self> {
        let mut bits = Bits::new(value);
        let mut descriptor = Self {
            begins: bits.bit()?,
            ends: bits.bit()?,
            template: bits.bits(6)? as u8,
            frame: bits.bits(16)? as u16,
            ..Self::default()
        };
        if value.len() <= 3 {
            return Some(descriptor);
        }
        let flags = bits.bits(5)?;
        let has = |at: u32| flags >> (4 - at) & 1 == 1;
        if has(0) {
            descriptor.structure = Some(Structure::read(&mut bits)?);
        }
        let Some(structure) = descriptor.structure.as_ref().or(known) else {
            return (flags == 0).then_some(descriptor);
        };
        if has(1) {
            descriptor.active = Some(bits.bits(structure.targets.into())?);
        }
        if has(2) {
            descriptor.indications = Some(read_indications(&mut bits, structure.targets)?);
        }
        if has(3) {
            descriptor.differences = Some(read_differences(&mut bits)?);
        }
        if has(4) {
            let chains = (0..structure.chains).map(|_| bits.bits(8).map(|it| it as u8));
            descriptor.chains = Some(chains.collect::<Option<_>>()?);
        }
        Some(descriptor)
    }

    /// Appends the value. `known` is as for [`parse`](Self::parse).
    pub fn write(&self, buf: &mut Vec<u8>, known: Option<&Structure>) {
        let mut bits = BitWriter::default();
        bits.bit(self.begins);
        bits.bit(self.ends);
        bits.bits(self.template.into(), 6);
        bits.bits(self.frame.into(), 16);
        let structure = self.structure.as_ref().or(known);
        let more = [
            self.structure.is_some(),
            self.active.is_some(),
            self.indications.is_some(),
            self.differences.is_some(),
            self.chains.is_some(),
        ];
        if let Some(structure) = structure.filter(|_| more.contains(&true)) {
            more.iter().for_each(|it| bits.bit(*it));
            if let Some(structure) = &self.structure {
                structure.write(&mut bits);
            }
            if let Some(active) = self.active {
                bits.bits(active, structure.targets.into());
            }
            for indication in self.indications.iter().flatten() {
                bits.bits(*indication as u32, 2);
            }
            if let Some(differences) = &self.differences {
                write_differences(&mut bits, differences);
            }
            for chain in self.chains.iter().flatten() {
                bits.bits((*chain).into(), 8);
            }
        }
        buf.extend_from_slice(&bits.bytes);
    }

    /// The template that the frame follows, of `structure`, which was sent last. `None` if there is no such template.
    pub fn template_of<'a>(&self, structure: &'a Structure) -> Option<&'a Template> {
        let at = (self.template + 64 - structure.first % 64) % 64;
        structure.templates.get(usize::from(at))
    }

    /// The frame's dependencies by `structure`, the one that was sent last. `None` if there is no such template.
    pub fn resolve(&self, structure: &Structure) -> Option<Dependency> {
        let template = self.template_of(structure)?;
        let custom = |it: &Option<Vec<u8>>, or: &Vec<u8>| it.clone().unwrap_or_else(|| or.clone());
        Some(Dependency {
            spatial: template.spatial,
            temporal: template.temporal,
            indications: self
                .indications
                .clone()
                .unwrap_or_else(|| template.indications.clone()),
            differences: self
                .differences
                .clone()
                .unwrap_or_else(|| template.differences.clone()),
            chains: custom(&self.chains, &template.chains),
            size: structure
                .resolutions
                .get(usize::from(template.spatial))
                .copied(),
        })
    }
}

impl Structure {
    fn read(bits: &mut Bits<'_>) -> Option<Self> {
        let mut structure = Self {
            first: bits.bits(6)? as u8,
            targets: bits.bits(5)? as u8 + 1,
            ..Self::default()
        };
        let (mut spatial, mut temporal) = (0_u8, 0_u8);
        loop {
            structure.templates.push(Template {
                spatial,
                temporal,
                ..Template::default()
            });
            match bits.bits(2)? {
                0 => {}
                1 => temporal += 1,
                2 => (spatial, temporal) = (spatial + 1, 0),
                _ => break,
            }
            // Layer numbers have three and two bits; there are no more template numbers than 64.
            if structure.templates.len() >= 64 || spatial > 3 || temporal > 7 {
                return None;
            }
        }
        for template in &mut structure.templates {
            template.indications = read_indications(bits, structure.targets)?;
        }
        for template in &mut structure.templates {
            while bits.bit()? {
                template.differences.push(bits.bits(4)? as u16 + 1);
            }
        }
        structure.chains = bits.ns(u32::from(structure.targets) + 1)? as u8;
        if structure.chains > 0 {
            for _ in 0..structure.targets {
                let chain = bits.ns(structure.chains.into())? as u8;
                structure.protected_by.push(chain);
            }
            for template in &mut structure.templates {
                let chains = (0..structure.chains).map(|_| bits.bits(4).map(|it| it as u8));
                template.chains = chains.collect::<Option<_>>()?;
            }
        }
        if bits.bit()? {
            for _ in 0..=spatial {
                let (width, height) = (bits.bits(16)? as u16, bits.bits(16)? as u16);
                let larger = |it: u16| it.saturating_add(1);
                structure.resolutions.push((larger(width), larger(height)));
            }
        }
        Some(structure)
    }

    fn write(&self, bits: &mut BitWriter) {
        bits.bits(self.first.into(), 6);
        bits.bits(u32::from(self.targets.clamp(1, 32)) - 1, 5);
        for pair in self.templates.windows(2) {
            if let [before, after] = pair {
                bits.bits(
                    if after.spatial > before.spatial {
                        2
                    } else {
                        u32::from(after.temporal > before.temporal)
                    },
                    2,
                );
            }
        }
        bits.bits(3, 2);
        for indication in self.templates.iter().flat_map(|it| &it.indications) {
            bits.bits(*indication as u32, 2);
        }
        for template in &self.templates {
            for difference in &template.differences {
                bits.bit(true);
                bits.bits(u32::from(difference.saturating_sub(1)), 4);
            }
            bits.bit(false);
        }
        bits.ns(self.chains.into(), u32::from(self.targets) + 1);
        if self.chains > 0 {
            for chain in &self.protected_by {
                bits.ns((*chain).into(), self.chains.into());
            }
            for chain in self.templates.iter().flat_map(|it| &it.chains) {
                bits.bits((*chain).into(), 4);
            }
        }
        bits.bit(!self.resolutions.is_empty());
        for (width, height) in &self.resolutions {
            bits.bits(u32::from(width.saturating_sub(1)), 16);
            bits.bits(u32::from(height.saturating_sub(1)), 16);
        }
    }
}

fn read_indications(bits: &mut Bits<'_>, targets: u8) -> Option<Vec<Indication>> {
    let read = |_| {
        Some(match bits.bits(2)? {
            0 => Indication::NotPresent,
            1 => Indication::Discardable,
            2 => Indication::Switch,
            _ => Indication::Required,
        })
    };
    (0..targets).map(read).collect()
}

fn read_differences(bits: &mut Bits<'_>) -> Option<Vec<u16>> {
    let mut differences = Vec::new();
    loop {
        match bits.bits(2)? {
            0 => return Some(differences),
            size => differences.push(bits.bits(4 * size)? as u16 + 1),
        }
    }
}

fn write_differences(bits: &mut BitWriter, differences: &[u16]) {
    for difference in differences {
        let less = u32::from(difference.saturating_sub(1));
        let size = match less {
            0..16 => 1,
            16..256 => 2,
            _ => 3,
        };
        bits.bits(size, 2);
        bits.bits(less & 0xfff, 4 * size);
    }
    bits.bits(0, 2);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// L1T2: a key frame, a frame of the base layer, one of the upper.
    fn l1t2() -> Structure {
        let template =
            |temporal, indications: [Indication; 2], differences: &[u16], chain| Template {
                spatial: 0,
                temporal,
                indications: indications.into(),
                differences: differences.into(),
                chains: vec![chain],
            };
        use Indication::{Discardable, NotPresent, Required, Switch};
        Structure {
            first: 60,
            targets: 2,
            templates: vec![
                template(0, [Switch, Switch], &[], 0),
                template(0, [Required, Switch], &[2], 2),
                template(1, [NotPresent, Discardable], &[1], 1),
            ],
            chains: 1,
            protected_by: vec![0, 0],
            resolutions: vec![(640, 360)],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let structure = l1t2();
        let key = Descriptor {
            begins: true,
            template: 60,
            frame: 65_535,
            structure: Some(structure.clone()),
            active: Some(3),
            ..Descriptor::default()
        };
        let mut buf = Vec::new();
        key.write(&mut buf, None);
        assert_eq!(Descriptor::parse(&buf, None), Some(key.clone()));
        for len in 0..buf.len() {
            let cut = Descriptor::parse(&buf[..len], None);
            assert!(cut.is_none() || len == 3, "{len}");
        }
        let delta = Descriptor {
            ends: true,
            template: 62,
            frame: 1,
            differences: Some(vec![1, 16, 17, 300]),
            chains: Some(vec![200]),
            indications: Some(vec![Indication::Required, Indication::NotPresent]),
            ..Descriptor::default()
        };
        let mut buf = Vec::new();
        delta.write(&mut buf, Some(&structure));
        assert_eq!(
            Descriptor::parse(&buf, Some(&structure)),
            Some(delta.clone())
        );
        let dependency = delta.resolve(&structure).unwrap();
        assert_eq!(
            (dependency.temporal, dependency.size),
            (1, Some((640, 360)))
        );
        assert_eq!(dependency.differences, [1, 16, 17, 300]);
        let key = key.resolve(&structure).unwrap();
        assert_eq!((key.differences, key.temporal), (vec![], 0));
        let short = Descriptor {
            template: 61,
            ..Descriptor::default()
        };
        let mut buf = Vec::new();
        short.write(&mut buf, None);
        assert_eq!(buf.len(), 3);
        assert_eq!(short.resolve(&structure).unwrap().differences, [2]);
        assert_eq!(
            Descriptor {
                template: 3,
                ..short
            }
            .resolve(&structure),
            None
        );
    }

    /// Descriptors that Chromium has sent with three spatial and three temporal layers.
    #[test]
    fn what_a_browser_sends_is_read() {
        let bytes = |hex: &str| -> Vec<u8> {
            let pairs = hex.as_bytes().chunks(2);
            let pairs = pairs.map(|it| std::str::from_utf8(it).unwrap());
            pairs
                .map(|it| u8::from_str_radix(it, 16).unwrap())
                .collect()
        };
        let first = bytes(
            "c1017280081485214eafffaaaa863cf0430c10c302afc0aaa0063c00430010c002a000a80006000040001d954926\
             e082b04a0941b820ac1282503157f974000ca864330e222222eca8655304224230eca877530077004200ef008601df010d",
        );
        let key = Descriptor::parse(&first, None).unwrap();
        assert!(key.begins && key.ends);
        assert_eq!((key.template, key.frame, key.active), (1, 0x172, None));
        let structure = key.structure.clone().unwrap();
        let sizes = [(120, 67), (240, 135), (480, 270)];
        assert_eq!((structure.first, structure.targets), (0, 9));
        assert_eq!(
            (structure.chains, &structure.resolutions[..]),
            (3, &sizes[..])
        );
        assert_eq!(structure.protected_by, [0, 0, 0, 1, 1, 1, 2, 2, 2]);
        let layers = structure.templates.iter();
        let layers: Vec<_> = layers.map(|it| (it.spatial, it.temporal)).collect();
        let own = [0, 0, 1, 2, 2];
        let expected = (0..3).flat_map(|spatial| own.map(|temporal| (spatial, temporal)));
        assert!(expected.eq(layers));
        let mut written = Vec::new();
        key.write(&mut written, None);
        assert_eq!(written, first);

        let letters = |it: &Dependency| -> String {
            let letter = |it: &Indication| ['-', 'D', 'S', 'R'][*it as usize];
            it.indications.iter().map(letter).collect()
        };
        let active = Some(0b11_1111);
        for (hex, frame, active, (indications, differences, chains)) in [
            (
                "86017340fc",
                0x173,
                active,
                ("---SSSSSS", &[1][..], [1, 1, 1]),
            ),
            (
                "c3017540fc",
                0x175,
                active,
                ("--D--R--R", &[3][..], [3, 2, 1]),
            ),
            (
                "88017640fc",
                0x176,
                active,
                ("-----D--R", &[3, 1][..], [4, 3, 2]),
            ),
            ("460173", 0x173, None, ("---SSSSSS", &[1][..], [1, 1, 1])),
            ("8b0174", 0x174, None, ("------SSS", &[1][..], [2, 1, 1])),
        ] {
            let value = bytes(hex);
            let it = Descriptor::parse(&value, Some(&structure)).unwrap();
            assert_eq!((it.frame, it.active), (frame, active), "{hex}");
            let needs = it.resolve(&structure).unwrap();
            assert_eq!(letters(&needs), indications, "{hex}");
            assert_eq!(
                (&needs.differences[..], &needs.chains[..]),
                (differences, &chains[..])
            );
            let mut written = Vec::new();
            it.write(&mut written, Some(&structure));
            assert_eq!(written, value, "{hex}");
        }
    }

    proptest! {
        #![proptest_config(oxirtc_netsim::cases(256))]

        #[test]
        fn whatever_comes_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let known = l1t2();
            for known in [None, Some(&known)] {
                if let Some(descriptor) = Descriptor::parse(&bytes, known) {
                    let mut buf = Vec::new();
                    descriptor.write(&mut buf, known);
                    prop_assert_eq!(Descriptor::parse(&buf, known), Some(descriptor));
                }
            }
        }
    }
}
