//! Which frames a frame needs, as RTP has it.

use bytes::Bytes;
use oxirtc_rtp::{
    self as rtp,
    extension::{Dependency, Descriptor, Indication, Structure, Template},
    payload::{Layering, av1, vp9},
};

use crate::{
    Av1Dependencies, Av1Frame, Codec, DecodeTargetIndication, Dependencies, DependencyStructure,
    DependencyTemplate, EncodedFrame, Error, ErrorKind, Layer, Vp8Dependencies, Vp9Dependencies,
    Vp9Layer,
};

/// A frame of one spatial layer, that is cut by itself.
pub(super) struct Part {
    pub(super) payload: Bytes,
    pub(super) layering: Layering,
    pub(super) descriptor: Option<Descriptor>,
}

/// What a frame that is written consists of.
///
/// # Errors
///
/// `Type` when its dependencies are of another codec, or are none that its payload can have.
pub(super) fn parts(frame: &EncodedFrame, known: Option<&Structure>) -> Result<Vec<Part>, Error> {
    let plain = Layering {
        spatial: frame.layer.spatial,
        temporal: frame.layer.temporal,
        layered: frame.layer != Layer::default(),
        ..Layering::default()
    };
    let parts = match (&frame.dependencies, frame.codec) {
        (None, _) => Some(vec![Part::whole(frame, plain)]),
        (Some(Dependencies::Vp8(it)), Codec::Vp8) => {
            let layering = Layering {
                layered: plain.layered || it.tl0.is_some(),
                switch: it.sync,
                discardable: it.discardable,
                ..plain
            };
            Some(vec![Part::whole(frame, layering)])
        }
        (Some(Dependencies::Vp9(it)), Codec::Vp9) => parts_of_vp9(frame, it, plain),
        (Some(Dependencies::Av1(it)), Codec::Av1) => parts_of_av1(frame, it, known),
        _ => None,
    };
    parts.ok_or_else(|| {
        let message = "the dependencies are none of this frame";
        Error::new(ErrorKind::Type, message)
    })
}

impl Part {
    fn whole(frame: &EncodedFrame, layering: Layering) -> Self {
        Self {
            payload: frame.payload.clone(),
            layering,
            descriptor: None,
        }
    }
}

fn parts_of_vp9(
    frame: &EncodedFrame,
    dependencies: &Vp9Dependencies,
    plain: Layering,
) -> Option<Vec<Part>> {
    let count = dependencies.layers.len();
    let layers = dependencies.layers.iter().enumerate();
    let mut rest = frame.payload.clone();
    let parts = layers.map(|(at, layer)| {
        // Three bits for the layer, seven for a distance (RFC 9628 §4.2).
        let differences = layer.differences.as_deref();
        let fits = differences.is_none_or(|all| {
            let in_range = all.iter().all(|it| (1..128).contains(it));
            in_range && all.len() <= 3
        });
        if !fits || layer.spatial > 7 || layer.bytes == 0 || layer.bytes > rest.len() {
            return None;
        }
        let flexible = differences.map(|all| {
            let mut three = [0; 3];
            three.iter_mut().zip(all).for_each(|(to, it)| *to = *it);
            three
        });
        let layering = Layering {
            spatial: layer.spatial,
            layered: plain.layered || dependencies.layered || count > 1,
            switch: dependencies.switch,
            discardable: layer.not_needed_above,
            needs_below: layer.needs_below,
            more: at + 1 < count,
            flexible,
            ..plain
        };
        Some(Part {
            payload: rest.split_to(layer.bytes),
            layering,
            descriptor: None,
        })
    });
    let parts: Vec<_> = parts.collect::<Option<_>>()?;
    let spatial = |part: &Part| part.layering.spatial;
    let rises = parts.is_sorted_by(|a, b| spatial(a) < spatial(b));
    (rises && rest.is_empty() && count > 0).then_some(parts)
}

fn parts_of_av1(
    frame: &EncodedFrame,
    dependencies: &Av1Dependencies,
    known: Option<&Structure>,
) -> Option<Vec<Part>> {
    let told = dependencies.structure.as_ref().map(structure);
    let structure = told.as_ref().or(known)?;
    let count = dependencies.frames.len();
    // A unit of one frame is not looked into.
    let ranges = match count {
        1 => std::iter::once(0..frame.payload.len()).collect(),
        _ => av1::layers(&frame.payload).filter(|it| it.len() == count)?,
    };
    let layers = dependencies.frames.iter().zip(ranges).enumerate();
    let parts = layers.map(|(at, (layer, range))| {
        let first = (at == 0).then_some(());
        let descriptor = Descriptor {
            begins: true,
            frame: layer.number,
            structure: first.and(told.clone()),
            active: first.and(dependencies.active),
            ..by_template(structure, layer)?
        };
        // What cannot be read as it was meant is none.
        let mut value = Vec::new();
        descriptor.write(&mut value, Some(structure));
        let read = Descriptor::parse(&value, Some(structure));
        let fits = read.as_ref() == Some(&descriptor) && value.len() <= LONGEST;
        fits.then(|| Part {
            payload: frame.payload.slice(range),
            layering: Layering {
                spatial: layer.spatial,
                temporal: layer.temporal,
                layered: true,
                more: at + 1 < count,
                ..Layering::default()
            },
            descriptor: Some(descriptor),
        })
    });
    parts.collect()
}

/// By the template that is most like it, with what differs.
fn by_template(structure: &Structure, frame: &Av1Frame) -> Option<Descriptor> {
    let indications: Vec<_> = frame.indications.iter().copied().map(indication).collect();
    let templates = structure.templates.iter().enumerate();
    let same_layer =
        templates.filter(|it| (it.1.spatial, it.1.temporal) == (frame.spatial, frame.temporal));
    let custom = |template: &Template| {
        let indications = (template.indications != indications).then(|| indications.clone());
        let differences =
            (template.differences != frame.differences).then(|| frame.differences.clone());
        let chains = (template.chains != frame.chains).then(|| frame.chains.clone());
        (indications, differences, chains)
    };
    let (at, template) = same_layer.min_by_key(|(_, template)| {
        let (indications, differences, chains) = custom(template);
        let rest = differences.map_or(0, |it| 1 + it.len()) + chains.map_or(0, |it| it.len());
        rest + indications.map_or(0, |it| it.len())
    })?;
    let (indications, differences, chains) = custom(template);
    Some(Descriptor {
        template: ((usize::from(structure.first) + at) % 64) as u8,
        indications,
        differences,
        chains,
        ..Descriptor::default()
    })
}

/// What a frame that came tells; nothing where its codec has no words for it, or has not used them.
pub(super) fn shown_dependencies(frame: &rtp::Frame) -> Option<Dependencies> {
    let facts = &frame.facts;
    match frame.codec {
        rtp::payload::Codec::Vp8 => Some(Dependencies::Vp8(Vp8Dependencies {
            picture: facts.picture,
            tl0: facts.tl0,
            sync: facts.switch,
            discardable: facts.discardable,
        })),
        rtp::payload::Codec::Vp9 => Some(Dependencies::Vp9(Vp9Dependencies {
            picture: facts.picture,
            tl0: facts.tl0,
            layered: frame.layers.iter().any(|it| it.descriptor.layers.is_some()),
            switch: facts.switch,
            layers: frame.layers.iter().map(shown_layer).collect(),
        })),
        rtp::payload::Codec::Av1 => {
            let described = frame.described.as_ref()?;
            Some(Dependencies::Av1(Av1Dependencies {
                structure: described.structure.as_ref().map(shown_structure),
                active: described.active,
                frames: described.frames.iter().map(shown_dependency).collect(),
            }))
        }
        _ => None,
    }
}

fn shown_layer(layer: &vp9::LayerFrame) -> Vp9Layer {
    let descriptor = &layer.descriptor;
    let indices = descriptor.layers.unwrap_or_default();
    let differences = descriptor.flexible.map(|all| {
        let some = all.into_iter().filter(|it| *it != 0);
        some.collect()
    });
    Vp9Layer {
        spatial: indices.spatial,
        bytes: layer.bytes,
        needs_earlier: descriptor.inter,
        needs_below: indices.needs_below,
        not_needed_above: descriptor.not_needed_above,
        differences,
    }
}

fn shown_dependency((number, dependency): &(u16, Dependency)) -> Av1Frame {
    Av1Frame {
        spatial: dependency.spatial,
        temporal: dependency.temporal,
        number: *number,
        indications: shown_indications(&dependency.indications),
        differences: dependency.differences.clone(),
        chains: dependency.chains.clone(),
    }
}

fn shown_structure(structure: &Structure) -> DependencyStructure {
    let templates = structure.templates.iter().map(|it| DependencyTemplate {
        spatial: it.spatial,
        temporal: it.temporal,
        indications: shown_indications(&it.indications),
        differences: it.differences.clone(),
        chains: it.chains.clone(),
    });
    DependencyStructure {
        first: structure.first,
        targets: structure.targets,
        templates: templates.collect(),
        chains: structure.chains,
        protected_by: structure.protected_by.clone(),
        resolutions: structure.resolutions.clone(),
    }
}

fn structure(structure: &DependencyStructure) -> Structure {
    let templates = structure.templates.iter().map(|it| Template {
        spatial: it.spatial,
        temporal: it.temporal,
        indications: it.indications.iter().copied().map(indication).collect(),
        differences: it.differences.clone(),
        chains: it.chains.clone(),
    });
    Structure {
        first: structure.first,
        targets: structure.targets,
        templates: templates.collect(),
        chains: structure.chains,
        protected_by: structure.protected_by.clone(),
        resolutions: structure.resolutions.clone(),
    }
}

fn indication(indication: DecodeTargetIndication) -> Indication {
    match indication {
        DecodeTargetIndication::NotPresent => Indication::NotPresent,
        DecodeTargetIndication::Discardable => Indication::Discardable,
        DecodeTargetIndication::Switch => Indication::Switch,
        DecodeTargetIndication::Required => Indication::Required,
    }
}

fn shown_indications(indications: &[Indication]) -> Vec<DecodeTargetIndication> {
    let shown = indications.iter().map(|it| match it {
        Indication::NotPresent => DecodeTargetIndication::NotPresent,
        Indication::Discardable => DecodeTargetIndication::Discardable,
        Indication::Switch => DecodeTargetIndication::Switch,
        Indication::Required => DecodeTargetIndication::Required,
    });
    shown.collect()
}

/// As long a value has a header extension of two bytes at most (RFC 8285 §4.3).
const LONGEST: usize = 255;
