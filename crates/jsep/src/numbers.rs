//! The numbers of one connection: of codecs and of header extensions.

use crate::{
    Codec, Codecs, Extension, ExtensionIds, NumberedExtension, PayloadTypes, codec::Format,
};

/// Which numbers were given, as long as the connection lives (RFC 9143 §9.1, §9.2): all sections may be of
/// one bundle group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers {
    payloads: PayloadTypes,
    extensions: ExtensionIds,
}

impl Numbers {
    /// Notes what a description of the peer says, which counts more than what was only proposed.
    pub(crate) fn adopt(&mut self, formats: &[Format], extensions: &[NumberedExtension]) {
        for Format { payload, codec } in formats {
            self.payloads.adopt(*payload, codec);
        }
        self.extensions.adopt(extensions);
    }

    /// Notes what a description of ours says.
    pub(crate) fn learn(&mut self, formats: &[Format], extensions: &[NumberedExtension]) {
        for Format { payload, codec } in formats {
            self.payloads.learn(*payload, codec);
        }
        self.extensions.learn(extensions);
    }

    /// The formats of an offer, for codecs in order of preference. `agreed` is what the section has already:
    /// it keeps its numbers.
    pub(crate) fn formats(&mut self, codecs: &[Codec], agreed: &Codecs) -> Vec<Format> {
        let mut given: Vec<Option<Format>> = vec![None; codecs.len()];
        let mut used = Vec::new();
        // what carries media first: the others refer to it
        for (codec, place) in codecs.iter().zip(&mut given) {
            if codec.is("rtx") || codec.is("red") {
                continue;
            }
            let own = agreed.number_of(codec, &used);
            let Some(payload) = own.or_else(|| self.payloads.number(codec, &used)) else {
                continue;
            };
            used.push(payload);
            *place = Some(Format {
                payload,
                codec: codec.clone(),
            });
        }
        for (at, codec) in codecs.iter().enumerate() {
            if codec.is("red")
                && let Some(red) = repeating(codec, &given)
                && let Some(payload) = agreed
                    .number_of(&red, &used)
                    .or_else(|| self.payloads.number(&red, &used))
                && let Some(place) = given.get_mut(at)
            {
                used.push(payload);
                *place = Some(Format {
                    payload,
                    codec: red,
                });
            }
        }
        let rtx = codecs.iter().find(|it| it.is("rtx"));
        let mut formats = Vec::new();
        for format in given.into_iter().flatten() {
            let Format { payload, codec } = &format;
            let repaired = !codec.is_auxiliary() || (codec.is("red") && codec.clock_rate == VIDEO);
            let rtx = rtx.filter(|it| repaired && it.clock_rate == codec.clock_rate);
            let rtx = rtx.map(|it| it.clone().parameters(format!("apt={payload}")));
            let own = agreed.rtx_of(*payload).filter(|it| !used.contains(it));
            formats.push(format);
            if let Some(codec) = rtx
                && let Some(payload) = own.or_else(|| self.payloads.number(&codec, &used))
            {
                used.push(payload);
                formats.push(Format { payload, codec });
            }
        }
        formats
    }

    /// The header extensions of an offer. Those that are `agreed` on in the section keep their numbers there. `mixed` allows the
    /// two-byte form.
    pub(crate) fn extensions(
        &mut self,
        ours: &[Extension],
        agreed: &[NumberedExtension],
        mixed: bool,
    ) -> Vec<NumberedExtension> {
        let numbered = ours.iter().filter_map(|extension| {
            let own = agreed.iter().find(|it| it.extension.is(extension));
            let own = own.map(|it| it.id).filter(|id| mixed || *id <= 14);
            let taken = |id: &u8| agreed.iter().any(|it| it.id == *id);
            let mut other = || {
                self.extensions
                    .number(extension, mixed)
                    .filter(|it| !taken(it))
            };
            let id = own.or_else(&mut other)?;
            Some(NumberedExtension {
                id,
                extension: extension.clone(),
            })
        });
        numbered.collect()
    }
}

/// Redundancy with what it repeats: for audio the first codec of its rate and channels (RFC 2198 §5), for
/// video anything. `None` when there is nothing to repeat.
fn repeating(red: &Codec, given: &[Option<Format>]) -> Option<Codec> {
    if red.clock_rate == VIDEO {
        return Some(red.clone());
    }
    let mut formats = given.iter().flatten();
    let of = formats.find(|Format { codec, .. }| {
        !codec.is_auxiliary()
            && codec.clock_rate == red.clock_rate
            && codec.channels.unwrap_or(1) == red.channels.unwrap_or(1)
    })?;
    let payload = of.payload;
    Some(red.clone().parameters(format!("{payload}/{payload}")))
}

/// The clock rate of every video codec.
const VIDEO: u32 = 90_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// What has a long number gets another one where the long form is not agreed on, and what belongs to one extension is given to no other.
    #[test]
    fn extensions() {
        let numbered = |id, uri: &str| NumberedExtension {
            id,
            extension: Extension::new(uri),
        };
        let ours = ["urn:a", "urn:c"].map(Extension::new);
        for (agreed, mixed, expected) in [
            (
                [numbered(200, "urn:a"), numbered(9, "urn:b")],
                true,
                &[200, 1][..],
            ),
            (
                [numbered(200, "urn:a"), numbered(9, "urn:b")],
                false,
                &[1, 2][..],
            ),
            (
                [numbered(200, "urn:a"), numbered(1, "urn:b")],
                true,
                &[200][..],
            ),
        ] {
            let given = Numbers::default().extensions(&ours, &agreed, mixed);
            let ids: Vec<_> = given.iter().map(|it| it.id).collect();
            assert_eq!(ids, expected, "{agreed:?}");
        }
        let many: Vec<_> = (0..15)
            .map(|it| Extension::new(format!("urn:{it}")))
            .collect();
        for (mixed, last) in [(true, 16), (false, 14)] {
            let given = Numbers::default().extensions(&many, &[], mixed);
            assert_eq!(given.last().map(|it| it.id), Some(last));
        }
    }
}
