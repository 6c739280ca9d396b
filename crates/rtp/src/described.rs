//! What frames tell of those that they need.

use crate::{
    batch::Packet,
    extension::{Dependency, Descriptor, Indication, Structure},
    payload::{Codec, Facts},
};

/// The dependency descriptors of the frames that a picture has, one for each spatial layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// The templates, where a key frame tells them.
    pub structure: Option<Structure>,
    /// Which decode targets are still sent, one bit each, where it is told.
    pub active: Option<u32>,
    /// The number of each frame, and what it needs.
    pub frames: Vec<(u16, Dependency)>,
}

impl Described {
    /// What these packets of one picture tell. `known` are the templates that were told last on this stream, and is renewed.
    pub(crate) fn of<'a>(
        packets: impl Iterator<Item = &'a Packet>,
        known: &mut Option<Structure>,
    ) -> Option<Self> {
        let mut described = Self::default();
        for packet in packets {
            let value = packet.values.descriptor.as_ref();
            let read = value.and_then(|it| Descriptor::parse(it, known.as_ref()));
            let Some(mut descriptor) = read else {
                continue;
            };
            if let Some(structure) = descriptor.structure.take() {
                described.structure = Some(structure.clone());
                *known = Some(structure);
            }
            let resolved = known.as_ref().and_then(|it| descriptor.resolve(it));
            if let Some(dependency) = resolved.filter(|_| descriptor.begins) {
                described.active = descriptor.active.or(described.active);
                described.frames.push((descriptor.frame, dependency));
            }
        }
        (!described.frames.is_empty()).then_some(described)
    }
}

/// What the dependency descriptor adds to what the payload tells: VP8 and VP9 tell their layers themselves. `known` are the templates
/// that were told last on this stream, and is renewed by a descriptor that brings others; one that cannot be read changes nothing.
pub fn described(
    known: &mut Option<Structure>,
    (codec, mut facts): (Codec, Facts),
    value: &[u8],
) -> Facts {
    let Some(descriptor) = Descriptor::parse(value, known.as_ref()) else {
        return facts;
    };
    facts.frame = Some(descriptor.frame);
    let structure = descriptor.structure.as_ref().or(known.as_ref());
    let template = structure.and_then(|it| descriptor.template_of(it));
    if let (Codec::Av1, Some(template)) = (codec, template) {
        let indications = descriptor.indications.as_ref();
        let indications = indications.unwrap_or(&template.indications);
        let differences = descriptor.differences.as_ref();
        let needs_none = differences.unwrap_or(&template.differences).is_empty();
        facts.begins = descriptor.begins && template.spatial == 0;
        facts.ends = descriptor.ends;
        facts.key |= descriptor.structure.is_some() && needs_none;
        (facts.spatial, facts.temporal) = (template.spatial, template.temporal);
        let mut present = indications
            .iter()
            .filter(|it| **it != Indication::NotPresent);
        // Of a picture its lowest layer decides: the first decode target that has it is its own, the others are for layers above.
        let own = present.clone().next();
        facts.switch = template.spatial == 0 && own != Some(&Indication::Required);
        facts.discardable = present.all(|it| *it == Indication::Discardable);
    }
    if descriptor.structure.is_some() {
        *known = descriptor.structure;
    }
    facts
}
