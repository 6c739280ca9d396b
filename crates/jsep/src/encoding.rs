//! The streams that a transceiver sends.

use crate::{Layer, SendEncoding, Source};

/// One stream that a transceiver sends: its name among several, and its SSRCs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoding {
    /// Its rid; absent where it is the only stream.
    pub rid: Option<String>,
    /// The peer does not want it for now.
    pub paused: bool,
    /// Given when a description first needs them.
    pub(crate) ssrcs: Option<Ssrcs>,
}

/// The SSRCs of one stream. The later ones are kept for it, also where they are not agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ssrcs {
    pub(crate) media: u32,
    pub(crate) rtx: u32,
    pub(crate) fec: u32,
}

impl Encoding {
    pub(crate) fn named(rid: impl Into<String>) -> Self {
        Self {
            rid: Some(rid.into()),
            ..Self::default()
        }
    }

    /// As a layer of simulcast, if it is one.
    pub(crate) fn layer(&self) -> Option<Layer> {
        Some(Layer {
            paused: self.paused,
            ..Layer::new(self.rid.clone()?)
        })
    }

    /// Its SSRC, once it has one.
    pub fn ssrc(&self) -> Option<u32> {
        self.ssrcs.map(|it| it.media)
    }

    pub(crate) fn sent(&self, rtx: bool, fec: bool) -> Option<SendEncoding> {
        let ssrcs = self.ssrcs?;
        Some(SendEncoding {
            rid: self.rid.clone(),
            paused: self.paused,
            ssrc: ssrcs.media,
            rtx: rtx.then_some(ssrcs.rtx),
            fec: fec.then_some(ssrcs.fec),
        })
    }
}

/// What is left of layers that we offered: those that the answer takes (`receive`, as the peer sees them). The
/// set only shrinks; when none is taken the first goes on, without a name (W3C §4.4.1.5).
pub(crate) fn narrowed(ours: &[Encoding], receive: &[Layer]) -> Vec<Encoding> {
    let taken = ours.iter().filter_map(|encoding| {
        let rid = encoding.rid.as_ref()?;
        let theirs = receive.iter().find(|it| it.rid == *rid)?;
        Some(Encoding {
            paused: theirs.paused,
            ..encoding.clone()
        })
    });
    let left: Vec<_> = taken.collect();
    match (left.is_empty(), ours.first()) {
        (true, Some(first)) => vec![Encoding {
            rid: None,
            paused: false,
            ..first.clone()
        }],
        _ => left,
    }
}

impl Ssrcs {
    /// New ones, none of which is `taken`.
    pub(crate) fn draw(source: &mut dyn Source, taken: impl Fn(u32) -> bool) -> Self {
        let mut drawn = [0; 3];
        for place in 0..drawn.len() {
            // a source that gives but a few numbers is not asked for ever
            let mut ssrc = source.ssrc();
            for _ in 0..TRIES {
                // 0 stands for "no source" in many a program
                if ssrc != 0 && !taken(ssrc) && !drawn.contains(&ssrc) {
                    break;
                }
                ssrc = source.ssrc();
            }
            if let Some(it) = drawn.get_mut(place) {
                *it = ssrc;
            }
        }
        let [media, rtx, fec] = drawn;
        Self { media, rtx, fec }
    }

    pub(crate) fn replace(&mut self, old: u32, new: u32) {
        let own = [&mut self.media, &mut self.rtx, &mut self.fec];
        own.into_iter()
            .filter(|it| **it == old)
            .for_each(|it| *it = new);
    }

    pub(crate) fn all(self) -> [u32; 3] {
        [self.media, self.rtx, self.fec]
    }
}

/// How often a number that is in use is asked for again.
const TRIES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(list: &[&str]) -> Vec<Layer> {
        let layer = |it: &&str| Layer {
            paused: it.starts_with('~'),
            ..Layer::new(it.trim_start_matches('~'))
        };
        list.iter().map(layer).collect()
    }

    /// [4.4.1.6-26] [4.4.1.6-31] The set only shrinks, in our order; of none the first is left without a name.
    #[test]
    fn shrinking() {
        let ours = ["q", "h", "f"].map(Encoding::named);
        let left = narrowed(&ours, &layers(&["f", "~q", "new"]));
        let left: Vec<_> = left
            .iter()
            .map(|it| (it.rid.as_deref(), it.paused))
            .collect();
        assert_eq!(left, [(Some("q"), true), (Some("f"), false)]);
        let left = narrowed(&ours, &[]);
        assert_eq!(left, [Encoding::default()]);
        assert_eq!(narrowed(&left, &layers(&["q"])), left);
    }

    struct Few(u32);

    impl Source for Few {
        fn credentials(&mut self) -> crate::Credentials {
            crate::Credentials {
                ufrag: String::new(),
                password: String::new(),
            }
        }

        fn ssrc(&mut self) -> u32 {
            self.0 += 1;
            self.0 / 2
        }
    }

    /// None is 0, taken or drawn twice.
    #[test]
    fn different() {
        let drawn = Ssrcs::draw(&mut Few(0), |it| it == 2);
        assert_eq!(drawn.all(), [1, 3, 4]);
    }
}
