//! Header extensions: which there are, how they are framed, what their values say.

mod descriptor;
mod elements;
mod ids;
mod layers;
mod time;
mod values;
mod video;
mod voice;

pub use self::{
    descriptor::{Dependency, Descriptor, Indication, Structure, Template},
    elements::{Elements, Form},
    ids::{Ids, Kind},
    layers::{Layers, SpatialLayer},
    time::{AbsoluteCapture, absolute_send, read_offset, read_transport, write_offset},
    values::{Label, Named, Values},
    video::{ColourSpace, Mastering, Orientation, PlayoutDelay, VideoTiming},
    voice::{AudioLevel, mixed_levels},
};
