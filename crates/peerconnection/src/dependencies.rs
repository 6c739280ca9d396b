//! Which frames of video a frame needs, as its codec tells it.

/// What a frame of video needs of others, and who needs it. Opaque bytes never: each codec has words of its own.
///
/// H.264, H.265 and audio tell nothing of the kind. Numbers of pictures that are written are taken from the sender's own count, and so
/// is TL0PICIDX, as a stream goes on over changes of its source.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dependencies {
    /// VP8.
    Vp8(Vp8Dependencies),
    /// VP9.
    Vp9(Vp9Dependencies),
    /// AV1, by the dependency descriptor; where that was not negotiated there is nothing, and what is written stays here.
    Av1(Av1Dependencies),
}

/// What the payload descriptor of VP8 tells ([RFC 7741 §4.2](https://www.rfc-editor.org/rfc/rfc7741#section-4.2)). The temporal layer
/// itself is [`EncodedFrame::layer`](crate::EncodedFrame::layer).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vp8Dependencies {
    /// The picture's number, of 7 or 15 bits. On writing it is ours.
    pub picture: Option<u16>,
    /// TL0PICIDX: counts the frames of the lowest temporal layer. On writing any number says that there are temporal layers, and
    /// ours is sent.
    pub tl0: Option<u8>,
    /// Y: it needs frames of the lowest temporal layer only, so a receiver may go up to its layer here.
    pub sync: bool,
    /// N: no other frame needs it.
    pub discardable: bool,
}

/// What the payload descriptors of a picture of VP9 tell ([RFC 9628 §4.2](https://www.rfc-editor.org/rfc/rfc9628#section-4.2)). The
/// temporal layer is [`EncodedFrame::layer`](crate::EncodedFrame::layer).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vp9Dependencies {
    /// The picture's number, of 7 or 15 bits. On writing it is ours.
    pub picture: Option<u16>,
    /// TL0PICIDX: counts the pictures of the lowest temporal layer; only without flexible mode. On writing it is ours.
    pub tl0: Option<u8>,
    /// The stream has layers, and each packet tells its own.
    pub layered: bool,
    /// U: no later picture of its temporal layer needs one of that layer before it, so a receiver may go up here.
    pub switch: bool,
    /// The frames that the payload consists of, one for each spatial layer, the lowest first.
    pub layers: Vec<Vp9Layer>,
}

/// A frame of one spatial layer of VP9.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vp9Layer {
    /// The spatial layer, 0 to 7.
    pub spatial: u8,
    /// How many bytes of the payload are its own. All together they are the payload.
    pub bytes: usize,
    /// P: it needs earlier pictures. On writing, in flexible mode, `differences` say it, and else whether the picture is a key picture.
    pub needs_earlier: bool,
    /// D: it needs the layer below, of the same picture.
    pub needs_below: bool,
    /// Z: no layer above it needs it.
    pub not_needed_above: bool,
    /// Flexible mode: how many pictures back those lie that it needs: up to three, 1 to 127 each. `None` without flexible mode.
    pub differences: Option<Vec<u8>>,
}

/// What the dependency descriptors of a temporal unit of AV1 tell
/// ([RTP Payload Format for AV1, appendix A](https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Av1Dependencies {
    /// What frames have in common, where a key frame tells it. On writing a key frame without it repeats the last one.
    pub structure: Option<DependencyStructure>,
    /// Which decode targets are still sent, one bit each, where that is told.
    pub active: Option<u32>,
    /// The frames of the unit, one for each spatial layer, the lowest first.
    pub frames: Vec<Av1Frame>,
}

/// A frame of one spatial layer of AV1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Av1Frame {
    /// The spatial layer, 0 to 3.
    pub spatial: u8,
    /// The temporal layer, 0 to 7.
    pub temporal: u8,
    /// Its number, one more for each frame of the stream; it wraps. On writing, distances to the numbers before are kept.
    pub number: u16,
    /// What it is to each decode target.
    pub indications: Vec<DecodeTargetIndication>,
    /// How many frames back those lie that it needs, 1 to 4096 each; none for a key frame.
    pub differences: Vec<u16>,
    /// How many frames back the last one of each chain lies.
    pub chains: Vec<u8>,
}

/// The templates of frames, and what decode targets there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DependencyStructure {
    /// The number of the first template, 0 to 63.
    pub first: u8,
    /// How many decode targets there are, 1 to 32.
    pub targets: u8,
    /// The templates, 1 to 64, by spatial layer and within it by temporal layer.
    pub templates: Vec<DependencyTemplate>,
    /// How many chains there are, at most one a decode target.
    pub chains: u8,
    /// Which chain protects each decode target; empty without chains.
    pub protected_by: Vec<u8>,
    /// Width and height of each spatial layer, in pixels; empty if they are not told.
    pub resolutions: Vec<(u16, u16)>,
}

/// What frames of a kind have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DependencyTemplate {
    /// The spatial layer.
    pub spatial: u8,
    /// The temporal layer.
    pub temporal: u8,
    /// What such a frame is to each decode target.
    pub indications: Vec<DecodeTargetIndication>,
    /// How many frames back those lie that it needs, 1 to 16 each.
    pub differences: Vec<u16>,
    /// How many frames back the last one of each chain lies, 0 to 15 each.
    pub chains: Vec<u8>,
}

/// What a frame is to a decode target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DecodeTargetIndication {
    /// It is not part of it.
    #[default]
    NotPresent,
    /// No frame of the target needs it.
    Discardable,
    /// Who begins with it can go on.
    Switch,
    /// Some frame of the target may need it.
    Required,
}
