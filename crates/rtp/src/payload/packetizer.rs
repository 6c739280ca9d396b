//! Frames cut into payloads.

use bytes::Bytes;

use super::{
    audio, av1,
    codec::Codec,
    h264, h265,
    nal::ParameterSets,
    piece::{Facts, MOST_FRAME, Piece, Prefix, Refused, even},
    vp8, vp9,
};

/// Cuts the frames of one encoder into payloads that fit into a datagram, all pieces of a frame equally long.
#[derive(Clone, Debug)]
pub struct Packetizer {
    codec: Codec,
    most: usize,
    most_frame: usize,
    picture: u16,
    tl0: u8,
    single_unit: bool,
    /// The picture that is being cut began with a key frame.
    is_key_picture: bool,
    sets: ParameterSets,
}

/// Where a frame lies among the layers of scalable video. The default is video without layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layering {
    /// The spatial layer.
    pub spatial: u8,
    /// The temporal layer.
    pub temporal: u8,
    /// True if there are several layers of either kind.
    pub layered: bool,
    /// From this frame on its temporal layer may be taken in.
    pub switch: bool,
    /// No later frame needs this one.
    pub discardable: bool,
    /// It needs the spatial layer below, of the same picture.
    pub needs_below: bool,
    /// More spatial layers of the same picture follow.
    pub more: bool,
    /// VP9's flexible mode: how many pictures back those lie that are needed, up to three; zeroes are none.
    pub flexible: Option<[u8; 3]>,
}

impl Packetizer {
    /// For payloads of at most `most` bytes (at least 64). `picture` is the first picture number, which should be
    /// random.
    pub fn new(codec: Codec, most: usize, picture: u16) -> Self {
        Self {
            codec,
            most: most.max(64),
            most_frame: MOST_FRAME,
            picture: picture & 0x7fff,
            tl0: 0,
            single_unit: false,
            is_key_picture: false,
            sets: ParameterSets::default(),
        }
    }

    /// For H.264: packetization mode 0, where a unit may not be cut (RFC 6184 §6.2). Off by default.
    #[must_use]
    pub fn single_unit(mut self, on: bool) -> Self {
        self.single_unit = on;
        self
    }

    /// As [`single_unit`](Self::single_unit) has it, from the next frame on.
    pub fn set_single_unit(&mut self, on: bool) {
        self.single_unit = on;
    }

    /// The longest frame to cut, in bytes; default [`MOST_FRAME`].
    pub fn set_most_frame(&mut self, bytes: usize) {
        self.most_frame = bytes;
    }

    /// The codec.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Appends the payloads of a frame.
    ///
    /// # Errors
    /// [`Refused`] if it is none; nothing is appended then.
    pub fn cut(
        &mut self,
        frame: &Bytes,
        layering: Layering,
        pieces: &mut Vec<Piece>,
    ) -> Result<(), Refused> {
        if frame.is_empty() {
            return Err(Refused::Empty);
        }
        if frame.len() > self.most_frame {
            return Err(Refused::TooLarge);
        }
        let start = pieces.len();
        match self.codec {
            Codec::Vp8 => self.cut_vp8(frame, layering, pieces),
            Codec::Vp9 => self.cut_vp9(frame, layering, pieces),
            Codec::Av1 => av1::cut(frame, self.most, pieces)?,
            Codec::H264 => {
                h264::cut(frame, self.most, self.single_unit, &mut self.sets, pieces)?;
            }
            Codec::H265 => h265::cut(frame, self.most, &mut self.sets, pieces)?,
            codec => audio::cut(codec, frame, self.most, pieces)?,
        }
        if !self.codec.is_audio()
            && let Some(made) = pieces.get_mut(start..)
        {
            if let Some(first) = made.first_mut() {
                first.facts.begins = layering.spatial == 0;
            }
            if let Some(last) = made.last_mut() {
                last.facts.ends = true;
                last.marker = !layering.more;
            }
        }
        Ok(())
    }

    fn cut_vp8(&mut self, frame: &Bytes, layering: Layering, pieces: &mut Vec<Piece>) {
        let key = vp8::is_key(frame);
        if layering.layered && layering.temporal == 0 {
            self.tl0 = self.tl0.wrapping_add(1);
        }
        let descriptor = vp8::Descriptor {
            picture: Some(self.picture),
            tl0: layering.layered.then_some(self.tl0),
            temporal: layering
                .layered
                .then_some((layering.temporal, layering.switch)),
            discardable: layering.discardable,
            ..vp8::Descriptor::default()
        };
        let facts = Facts {
            key,
            temporal: layering.temporal,
            switch: layering.switch,
            discardable: layering.discardable,
            picture: Some(self.picture),
            tl0: descriptor.tl0,
            size: vp8::size(frame),
            ..Facts::default()
        };
        let (count, len) = even(frame.len(), self.most - vp8::MOST_DESCRIPTOR);
        for at in 0..count {
            let descriptor = vp8::Descriptor {
                begins: at == 0,
                ..descriptor
            };
            pieces.push(piece(frame, (at, len), 0, descriptor.to_prefix(), facts));
        }
        self.picture = self.picture.wrapping_add(1) & 0x7fff;
    }

    fn cut_vp9(&mut self, frame: &Bytes, layering: Layering, pieces: &mut Vec<Piece>) {
        let header = vp9::Uncompressed::parse(frame);
        let size = header.and_then(|it| it.size);
        let key = size.is_some() && layering.spatial == 0;
        if layering.temporal == 0 && layering.spatial == 0 {
            self.tl0 = self.tl0.wrapping_add(1);
        }
        if layering.spatial == 0 {
            self.is_key_picture = key;
        }
        // Layers above a key frame need only what lies below them.
        let inter = layering
            .flexible
            .map_or(!self.is_key_picture, |it| it[0] != 0);
        let descriptor = vp9::Descriptor {
            picture: Some(self.picture),
            inter,
            layers: layering.layered.then_some(vp9::LayerIndices {
                temporal: layering.temporal,
                switch: layering.switch,
                spatial: layering.spatial,
                needs_below: layering.needs_below,
            }),
            tl0: (layering.layered && layering.flexible.is_none()).then_some(self.tl0),
            flexible: layering.flexible,
            not_needed_above: layering.discardable,
            ..vp9::Descriptor::default()
        };
        let facts = Facts {
            key,
            spatial: layering.spatial,
            temporal: layering.temporal,
            switch: layering.switch,
            discardable: layering.discardable,
            picture: Some(self.picture),
            tl0: descriptor.tl0,
            size,
            ..Facts::default()
        };
        // RFC 9628 §4.2.1: the scalability structure goes with the first packet of a key frame, whose piece is so much shorter.
        let structure = size.filter(|_| key && !layering.layered);
        let [plain, longer] = [None, structure].map(|size| {
            let descriptor = vp9::Descriptor { size, ..descriptor };
            descriptor.to_prefix().as_bytes().len()
        });
        let less = longer - plain;
        let (count, len) = even(frame.len() + less, self.most - vp9::MOST_DESCRIPTOR);
        for at in 0..count {
            let descriptor = vp9::Descriptor {
                begins: at == 0,
                ends: at + 1 == count,
                size: structure.filter(|_| at == 0),
                ..descriptor
            };
            pieces.push(piece(frame, (at, len), less, descriptor.to_prefix(), facts));
        }
        if !layering.more {
            self.picture = self.picture.wrapping_add(1) & 0x7fff;
        }
    }
}

/// The piece at a place, each so long but the first, which is shorter by `less`.
fn piece(
    frame: &Bytes,
    (at, len): (usize, usize),
    less: usize,
    prefix: Prefix,
    facts: Facts,
) -> Piece {
    let start = |at: usize| (at * len).saturating_sub(less).min(frame.len());
    Piece {
        prefix,
        payload: frame.slice(start(at)..start(at + 1)),
        facts,
        marker: false,
    }
}
