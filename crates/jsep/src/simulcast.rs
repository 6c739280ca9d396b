//! Simulcast: which layers one end offers, and which the other takes (RFC 8851, RFC 8853).

use oxirtc_sdp::{Attribute, Rid, RidDirection, Simulcast, Writer};

use crate::Format;

/// One layer: its rid, and whether it starts paused.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layer {
    /// Letters, digits, `-` and `_`.
    pub rid: String,
    /// It is not to be sent for now.
    pub paused: bool,
    /// What else its line says: formats and limits (RFC 8851 §4), as they were written.
    pub restrictions: Option<String>,
    /// Other forms of the same stream, of which one is sent (RFC 8853 §5.1), the preferred one first.
    pub alternatives: Vec<Self>,
}

/// The layers of a section, as the author of the description sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    /// Those that it sends.
    pub send: Vec<Layer>,
    /// Those that it takes.
    pub receive: Vec<Layer>,
}

impl Layer {
    /// One that is sent.
    pub fn new(rid: impl Into<String>) -> Self {
        Self {
            rid: rid.into(),
            paused: false,
            restrictions: None,
            alternatives: Vec::new(),
        }
    }

    /// It, and then its alternatives.
    pub(crate) fn forms(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.alternatives)
    }

    /// What is left of it where these formats were accepted; `None` when none of its own that carries media was.
    // RFC 8851 §6.3: restrictions are repeated, but for the formats that are not accepted
    fn within(&self, accepted: &[Format]) -> Option<Self> {
        let Some(restrictions) = &self.restrictions else {
            let alternatives = Vec::new();
            return Some(Self {
                alternatives,
                ..self.clone()
            });
        };
        let mut left = Vec::new();
        for restriction in restrictions.split(';') {
            let Some(formats) = restriction.trim_ascii().strip_prefix("pt=") else {
                left.push(restriction.to_owned());
                continue;
            };
            let taken = formats.split(',').filter_map(|text| {
                let payload: u8 = text.parse().ok()?;
                Some((text, accepted.iter().find(|it| it.payload == payload)?))
            });
            let (formats, of): (Vec<_>, Vec<_>) = taken.unzip();
            if of.iter().all(|it| it.codec.is_auxiliary()) {
                return None;
            }
            left.push(format!("pt={}", formats.join(",")));
        }
        Some(Self {
            restrictions: Some(left.join(";")),
            paused: self.paused,
            ..Self::new(self.rid.clone())
        })
    }
}

impl Layers {
    /// What the lines of a section say: of each stream the first alternative that has a line of its own
    /// in the same direction, with those after it, at most [`MAX`](Self::MAX) streams (RFC 8853 §5.2). Without `a=simulcast` there
    /// are none.
    pub fn read<'a>(rids: &[Rid<'a>], simulcast: Option<&Simulcast<'a>>) -> Self {
        let Some(simulcast) = simulcast else {
            return Self::default();
        };
        let of = |direction| {
            // RFC 8851 §6.3: of a rid with several lines none counts
            let described = |id: &str| {
                let mut lines = rids.iter().filter(|it| it.id == id);
                let only = lines.next().filter(|_| lines.next().is_none());
                only.filter(|it| it.direction == direction)
            };
            let mut layers: Vec<Layer> = Vec::new();
            for alternatives in simulcast.streams(direction) {
                let known =
                    |rid: &str| layers.iter().flat_map(Layer::forms).any(|it| it.rid == rid);
                let mut forms = alternatives.filter_map(|it| {
                    let line = described(it.id).filter(|_| !known(it.id))?;
                    Some(Layer {
                        paused: it.paused,
                        restrictions: line.restrictions.map(str::to_owned),
                        ..Layer::new(it.id)
                    })
                });
                let Some(first) = forms.next() else {
                    continue;
                };
                let alternatives = forms.take(MOST_FORMS - 1).collect();
                layers.push(Layer {
                    alternatives,
                    ..first
                });
                if layers.len() == Self::MAX {
                    break;
                }
            }
            layers
        };
        Self {
            send: of(RidDirection::Send),
            receive: of(RidDirection::Recv),
        }
    }

    /// What an answer takes of an offer: the layers that the offerer sends, and of those that it takes the
    /// ones that are ours to send, in its order, each in the first form that can be. A layer without a format that carries
    /// media and was `accepted` is left out.
    pub fn answer(offered: &Self, ours: &[Layer], accepted: &[Format]) -> Self {
        let sent = |wanted: &Layer| {
            let own = ours.iter().find(|it| it.rid == wanted.rid)?;
            Some(Layer {
                paused: own.paused || wanted.paused,
                ..wanted.within(accepted)?
            })
        };
        let send = offered.receive.iter();
        let receive = offered.send.iter();
        Self {
            send: send.filter_map(|it| it.forms().find_map(sent)).collect(),
            receive: receive
                .filter_map(|it| it.forms().find_map(|it| it.within(accepted)))
                .collect(),
        }
    }

    /// Writes `a=rid` and `a=simulcast`, if there are any.
    pub fn write(&self, writer: &mut Writer) {
        let both = [("send", &self.send), ("recv", &self.receive)];
        let mut lists = Vec::new();
        for (word, layers) in both {
            for Layer {
                rid, restrictions, ..
            } in layers
            {
                match restrictions {
                    Some(it) => writer.line('a', format_args!("rid:{rid} {word} {it}")),
                    None => writer.line('a', format_args!("rid:{rid} {word}")),
                };
            }
            let names = layers.iter().map(|it| match it.paused {
                true => format!("~{}", it.rid),
                false => it.rid.clone(),
            });
            let names: Vec<_> = names.collect();
            if !names.is_empty() {
                lists.push(format!("{word} {}", names.join(";")));
            }
        }
        if let Ok(simulcast @ Attribute::Simulcast(_)) =
            Attribute::parse(&format!("simulcast:{}", lists.join(" ")))
        {
            writer.attribute(&simulcast);
        }
    }

    /// The most layers of one section.
    pub const MAX: usize = 3;
}

/// The most forms of one stream that are kept.
const MOST_FORMS: usize = 8;

#[cfg(test)]
mod tests {
    use oxirtc_sdp::Session;

    use super::*;
    use crate::Codec;

    fn read(lines: &str) -> Layers {
        let text = format!("v=0\r\no=- 1 1 IN IP4 a\r\ns=-\r\nt=0 0\r\n{lines}");
        let session = Session::parse(&text).expect("a description");
        let (mut rids, mut simulcast) = (Vec::new(), None);
        for attribute in session.header().attributes() {
            match attribute {
                Attribute::Rid(rid) => rids.push(rid),
                Attribute::Simulcast(it) => simulcast = simulcast.or(Some(it)),
                _ => {}
            }
        }
        Layers::read(&rids, simulcast.as_ref())
    }

    fn layers(list: &[&str]) -> Vec<Layer> {
        let layer = |it: &&str| Layer {
            paused: it.starts_with('~'),
            ..Layer::new(it.trim_start_matches('~'))
        };
        list.iter().map(layer).collect()
    }

    fn written(layers: &Layers) -> String {
        let mut writer = Writer::new();
        layers.write(&mut writer);
        writer.finish()
    }

    /// The alternatives that are described, each rid once, three streams at most; what is written is read again.
    #[test]
    fn lines() {
        let offer = read(
            "a=rid:q send\r\na=rid:h send\r\na=rid:f send\r\na=rid:x send\r\na=rid:r recv\r\n\
             a=simulcast:send nowhere,~q;h,f;q;f;x recv r;f\r\n",
        );
        let mut expected = layers(&["~q", "h", "x"]);
        expected[1].alternatives = layers(&["f"]);
        assert_eq!(offer.send, expected);
        assert_eq!(
            offer.receive,
            layers(&["r"]),
            "f has no line in this direction"
        );
        let text = "a=rid:q send\r\na=rid:h send\r\na=rid:f send\r\na=rid:r recv\r\n\
                    a=simulcast:send ~q;h;f recv r\r\n";
        let offer = read(text);
        assert_eq!(written(&offer), text);
        assert_eq!(read("a=rid:q send\r\n"), Layers::default());
        assert_eq!(read("a=simulcast:send q\r\n"), Layers::default());
        assert_eq!(written(&Layers::default()), "");
    }

    /// RFC 8851 §6.3: a rid that has two lines has none, whatever they say.
    #[test]
    fn rids_are_unique() {
        for second in ["a=rid:q send pt=96", "a=rid:q send", "a=rid:q recv"] {
            let text = format!(
                "a=rid:q send\r\na=rid:h send\r\n{second}\r\na=simulcast:send q;h recv q\r\n"
            );
            let read = read(&text);
            assert_eq!(read.send, layers(&["h"]), "{second}");
            assert_eq!(read.receive, [], "{second}");
        }
    }

    /// Three streams are read, and of the forms of each eight.
    #[test]
    fn streams_and_forms_are_bounded() {
        let rids: Vec<_> = (0..12).map(|it| format!("r{it}")).collect();
        let described: String = rids
            .iter()
            .map(|rid| format!("a=rid:{rid} send\r\n"))
            .collect();
        let read = read(&format!(
            "{described}a=simulcast:send {}\r\n",
            rids.join(",")
        ));
        let forms: Vec<_> = read.send[0].forms().map(|it| &it.rid).collect();
        assert!(forms.into_iter().eq(&rids[..8]));
        let read = self::read(&format!("{described}a=simulcast:send r0;r1;r2;r3\r\n"));
        assert_eq!(read.send, layers(&["r0", "r1", "r2"]));
    }

    /// All that is sent is taken; of what is wanted, what we have.
    #[test]
    fn answers() {
        let offer = Layers {
            send: layers(&["q", "~h"]),
            receive: layers(&["b", "~a", "c"]),
        };
        let answer = Layers::answer(&offer, &layers(&["a", "b"]), &[]);
        assert_eq!(answer.receive, offer.send);
        assert_eq!(answer.send, layers(&["b", "~a"]));
        let none = Layers::answer(&Layers::default(), &layers(&["a"]), &[]);
        assert_eq!(none, Layers::default());
    }

    /// Restrictions are repeated, without formats that were not accepted; without one of its own that carries media a
    /// layer is left out.
    #[test]
    fn restrictions() {
        let text = "a=rid:q send pt=96,97;max-width=320\r\na=rid:h send pt=98\r\na=rid:f send max-fps=30\r\n\
                    a=simulcast:send q;h;f\r\n";
        let offer = read(text);
        assert_eq!(written(&offer), text);
        let accepted = [(97, "VP8"), (98, "rtx"), (100, "VP9")].map(|(payload, name)| {
            let codec = Codec::new(name, 90_000);
            Format { payload, codec }
        });
        let answer = Layers::answer(&offer, &[], &accepted);
        let expected = "a=rid:q recv pt=97;max-width=320\r\na=rid:f recv max-fps=30\r\na=simulcast:recv q;f\r\n";
        assert_eq!(written(&answer), expected);
    }
}
