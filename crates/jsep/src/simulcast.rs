//! Simulcast: which layers one end offers, and which the other takes (RFC 8851, RFC 8853).

use oxirtc_sdp::{Attribute, Rid, RidDirection, Simulcast, Writer};

/// One layer: its rid, and whether it starts paused.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layer {
    /// Letters, digits, `-` and `_`.
    pub rid: String,
    /// It is not to be sent for now.
    pub paused: bool,
    /// What else its line says: formats and limits (RFC 8851 §4), as they were written.
    pub restrictions: Option<String>,
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
        }
    }

    /// What is left of it where these formats were accepted; `None` when none of its own were.
    // RFC 8851 §6.3: restrictions are repeated, but for the formats that are not accepted
    fn within(&self, accepted: &[u8]) -> Option<Self> {
        let Some(restrictions) = &self.restrictions else {
            return Some(self.clone());
        };
        let mut left = Vec::new();
        for restriction in restrictions.split(';') {
            let Some(formats) = restriction.trim_ascii().strip_prefix("pt=") else {
                left.push(restriction.to_owned());
                continue;
            };
            let taken = |it: &&str| it.parse().is_ok_and(|it| accepted.contains(&it));
            let formats: Vec<_> = formats.split(',').filter(taken).collect();
            if formats.is_empty() {
                return None;
            }
            left.push(format!("pt={}", formats.join(",")));
        }
        Some(Self {
            restrictions: Some(left.join(";")),
            ..self.clone()
        })
    }
}

impl Layers {
    /// What the lines of a section say: of each stream the first alternative that has a line of its own
    /// in the same direction, at most [`MAX`](Self::MAX) (RFC 8853 §5.2). Without `a=simulcast` there are none.
    pub fn read<'a>(rids: &[Rid<'a>], simulcast: Option<&Simulcast<'a>>) -> Self {
        let Some(simulcast) = simulcast else {
            return Self::default();
        };
        let of = |direction| {
            let described = |id: &str| {
                let mut rids = rids.iter();
                rids.find(|it| it.id == id && it.direction == direction)
            };
            let mut layers: Vec<Layer> = Vec::new();
            for mut alternatives in simulcast.streams(direction) {
                let found = alternatives.find_map(|it| Some((it, described(it.id)?)));
                let Some((it, line)) = found else {
                    continue;
                };
                let first = layers.iter().all(|layer| layer.rid != it.id);
                if first && layers.len() < Self::MAX {
                    layers.push(Layer {
                        rid: it.id.to_owned(),
                        paused: it.paused,
                        restrictions: line.restrictions.map(str::to_owned),
                    });
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
    /// ones that are ours to send, in its order. A layer whose formats are none of the `accepted` ones is left out.
    pub fn answer(offered: &Self, ours: &[Layer], accepted: &[u8]) -> Self {
        let send = offered.receive.iter().filter_map(|wanted| {
            let own = ours.iter().find(|it| it.rid == wanted.rid)?;
            Some(Layer {
                paused: own.paused || wanted.paused,
                ..wanted.within(accepted)?
            })
        });
        let receive = offered.send.iter();
        Self {
            send: send.collect(),
            receive: receive.filter_map(|it| it.within(accepted)).collect(),
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

#[cfg(test)]
mod tests {
    use oxirtc_sdp::Session;

    use super::*;

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

    /// The first alternative that is described, each once, three at most; what is written is read again.
    #[test]
    fn lines() {
        let offer = read(
            "a=rid:q send\r\na=rid:h send\r\na=rid:f send\r\na=rid:x send\r\na=rid:r recv\r\n\
             a=simulcast:send nowhere,~q;h,f;q;f;x recv r;f\r\n",
        );
        assert_eq!(offer.send, layers(&["~q", "h", "f"]));
        assert_eq!(
            offer.receive,
            layers(&["r"]),
            "f has no line in this direction"
        );
        let text = "a=rid:q send\r\na=rid:h send\r\na=rid:f send\r\na=rid:r recv\r\n\
                    a=simulcast:send ~q;h;f recv r\r\n";
        assert_eq!(written(&offer), text);
        assert_eq!(read(text), offer);
        assert_eq!(read("a=rid:q send\r\n"), Layers::default());
        assert_eq!(read("a=simulcast:send q\r\n"), Layers::default());
        assert_eq!(written(&Layers::default()), "");
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

    /// Restrictions are repeated, without formats that were not accepted; without any of its own a layer is
    /// left out.
    #[test]
    fn restrictions() {
        let text = "a=rid:q send pt=96,97;max-width=320\r\na=rid:h send pt=98\r\na=rid:f send max-fps=30\r\n\
                    a=simulcast:send q;h;f\r\n";
        let offer = read(text);
        assert_eq!(written(&offer), text);
        let answer = Layers::answer(&offer, &[], &[97, 100]);
        let expected = "a=rid:q recv pt=97;max-width=320\r\na=rid:f recv max-fps=30\r\na=simulcast:recv q;f\r\n";
        assert_eq!(written(&answer), expected);
    }
}
