//! Which layers are sent, and at which rate (video-layers-allocation).

use crate::{
    reader::{Reader, write_leb128},
    writer::write_u16,
};

/// What a sender of simulcast or scalable video sends now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    /// Which of the RTP streams carries this.
    pub stream: u8,
    /// How many RTP streams there are, 1 to 4; 0 if nothing is sent.
    pub streams: u8,
    /// The spatial layers that are sent, in the order of streams and layers; at most 16.
    pub spatial: Vec<SpatialLayer>,
}

/// One spatial layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpatialLayer {
    /// Its RTP stream, 0 to 3.
    pub stream: u8,
    /// Its number, 0 to 3.
    pub id: u8,
    /// The target of each temporal layer in kbit/s, with those below it; 1 to 4.
    pub rates: Vec<u32>,
    /// Width, height and frames a second.
    pub resolution: Option<(u16, u16, u8)>,
}

impl Layers {
    /// Reads the value.
    pub fn parse(value: &[u8]) -> Option<Self> {
        if value == [0] {
            return Some(Self::default());
        }
        let mut reader = Reader(value);
        let first = reader.u8()?;
        let streams = (first >> 4 & 3) + 1;
        let masks = read_masks(&mut reader, first & 15, streams)?;
        let mut spatial = Vec::new();
        for stream in 0..streams {
            let mask = masks >> (4 * stream) & 15;
            for id in (0..4).filter(|id| mask >> id & 1 == 1) {
                spatial.push(SpatialLayer {
                    stream,
                    id,
                    ..SpatialLayer::default()
                });
            }
        }
        let counts = reader.take(spatial.len().div_ceil(4))?;
        for (at, layer) in spatial.iter_mut().enumerate() {
            let count = counts.get(at / 4)? >> (6 - 2 * (at % 4)) & 3;
            layer.rates = vec![0; usize::from(count) + 1];
        }
        for rate in spatial.iter_mut().flat_map(|layer| &mut layer.rates) {
            *rate = reader.leb128()?;
        }
        if !reader.is_empty() {
            for layer in &mut spatial {
                let (width, height) = (reader.u16()?, reader.u16()?);
                let larger = |it: u16| it.saturating_add(1);
                layer.resolution = Some((larger(width), larger(height), reader.u8()?));
            }
        }
        Some(Self {
            stream: first >> 6,
            streams,
            spatial,
        })
    }

    /// Appends the value.
    pub fn write(&self, buf: &mut Vec<u8>) {
        let Some(more) = self
            .streams
            .checked_sub(1)
            .filter(|_| !self.spatial.is_empty())
        else {
            buf.push(0);
            return;
        };
        let mask = |stream: u8| {
            let of = self.spatial.iter().filter(|it| it.stream == stream);
            of.fold(0, |mask, layer| mask | 1 << (layer.id & 3))
        };
        let first = mask(0);
        let same = (0..self.streams).all(|stream| mask(stream) == first);
        let head = self.stream << 6 | (more & 3) << 4;
        buf.push(head | if same { first } else { 0 });
        if !same {
            buf.push(mask(0) << 4 | mask(1));
            if self.streams > 2 {
                buf.push(mask(2) << 4 | mask(3));
            }
        }
        for four in self.spatial.chunks(4) {
            let count = |at: usize| four.get(at).map_or(0, |it| it.rates.len().clamp(1, 4) - 1);
            let counts = (0..4).fold(0, |byte, at| byte << 2 | count(at));
            buf.push(counts as u8);
        }
        for layer in &self.spatial {
            (0..layer.rates.len().clamp(1, 4))
                .for_each(|at| write_leb128(buf, layer.rates.get(at).copied().unwrap_or(0)));
        }
        if self.spatial.iter().all(|it| it.resolution.is_some()) {
            for (width, height, rate) in self.spatial.iter().filter_map(|it| it.resolution) {
                write_u16(buf, width.saturating_sub(1));
                write_u16(buf, height.saturating_sub(1));
                buf.push(rate);
            }
        }
    }
}

/// Which spatial layers each stream has, four bits a stream, the first stream lowest.
fn read_masks(reader: &mut Reader<'_>, shared: u8, streams: u8) -> Option<u16> {
    if shared != 0 {
        return Some(
            (0..streams).fold(0, |masks, stream| masks | u16::from(shared) << (4 * stream)),
        );
    }
    let mut masks = 0;
    for at in 0..streams.div_ceil(2) {
        let byte = reader.u8()?;
        masks |= u16::from(byte.rotate_left(4)) << (8 * at);
    }
    if streams % 2 == 1 {
        masks &= !(15 << (4 * streams));
    }
    Some(masks)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(oxirtc_netsim::cases(256))]

        #[test]
        fn what_is_written_is_read(streams in 1_u8..5, masks: u16, rates in prop::collection::vec(prop::collection::vec(any::<u32>(), 1..5), 16), sized: bool) {
            let mut layers = Layers { stream: streams - 1, streams, spatial: vec![] };
            for at in 0..16_u8 {
                if masks >> at & 1 == 1 && at / 4 < streams {
                    let resolution = sized.then_some((u16::from(at) + 1, 65_535, 30));
                    layers.spatial.push(SpatialLayer { stream: at / 4, id: at % 4, rates: rates[usize::from(at)].clone(), resolution });
                }
            }
            if layers.spatial.is_empty() {
                layers = Layers::default();
            }
            let mut buf = Vec::new();
            layers.write(&mut buf);
            prop_assert_eq!(Layers::parse(&buf), Some(layers));
        }

        #[test]
        fn whatever_comes_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Some(layers) = Layers::parse(&bytes) {
                let mut buf = Vec::new();
                layers.write(&mut buf);
                prop_assert!(layers.spatial.len() <= 16);
                prop_assert!(buf == [0] || Layers::parse(&buf) == Some(layers));
            }
        }
    }
}
