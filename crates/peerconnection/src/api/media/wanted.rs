//! What senders want of who encodes.

use crate::{Choice, DegradationPreference, ResolutionRestriction, RtpEncodingParameters};

/// What the encodings of senders want of a stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::api) struct Wanted {
    /// Somebody sends it.
    pub(super) active: bool,
    pub(super) framerate: Option<f64>,
    /// 1 is no wish.
    pub(super) scale: f64,
    pub(super) size: Option<ResolutionRestriction>,
    pub(super) degradation: Option<DegradationPreference>,
}

impl Wanted {
    /// What the encodings of one sender want of each lane of a source with these rids.
    pub(super) fn by_lane(
        encodings: &[RtpEncodingParameters],
        degradation: Option<DegradationPreference>,
        rids: &[String],
        choice: &Choice,
    ) -> [Option<Self>; LANES] {
        let mut lanes = [None; LANES];
        let alone = encodings.len() == 1;
        for (place, encoding) in encodings.iter().enumerate() {
            let named = || rids.iter().position(|it| Some(it) == encoding.rid.as_ref());
            let lane = match choice.place(rids) {
                chosen if alone => chosen.map_or(0, usize::from),
                _ => named().unwrap_or(place),
            };
            if let Some(wanted) = lanes.get_mut(lane) {
                *wanted = Some(Self::of(encoding, degradation));
            }
        }
        lanes
    }

    fn of(encoding: &RtpEncodingParameters, degradation: Option<DegradationPreference>) -> Self {
        let size = encoding.scale_resolution_down_to;
        let scale = encoding.scale_resolution_down_by;
        Self {
            active: encoding.active,
            framerate: encoding.max_framerate,
            // WebRTC Extensions §5.2.6: where a size is given, the scale does not count.
            scale: scale.filter(|_| size.is_none()).unwrap_or(1.0),
            size,
            degradation,
        }
    }

    /// One stream for two senders keeps to what both want; one that does not send it wants nothing.
    pub(super) fn and(self, other: Self) -> Self {
        if !other.active {
            return self;
        }
        if !self.active {
            return other;
        }
        // Its longer side is for the longer side of the picture, however that is turned.
        let longer = |it: ResolutionRestriction| it.max_width.max(it.max_height);
        let shorter = |it: ResolutionRestriction| it.max_width.min(it.max_height);
        let smaller = |a, b| ResolutionRestriction {
            max_width: longer(a).min(longer(b)),
            max_height: shorter(a).min(shorter(b)),
        };
        Self {
            active: true,
            framerate: either(self.framerate, other.framerate, f64::min),
            scale: self.scale.max(other.scale),
            size: either(self.size, other.size, smaller),
            degradation: either(self.degradation, other.degradation, |one, other| {
                match one == other {
                    true => one,
                    false => DegradationPreference::Balanced,
                }
            }),
        }
    }
}

fn either<T>(one: Option<T>, other: Option<T>, both: impl FnOnce(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(both(one, other)),
        (one, other) => one.or(other),
    }
}

impl Default for Wanted {
    /// Where nobody sends yet, nothing is known that could spare the work.
    fn default() -> Self {
        Self {
            active: true,
            framerate: None,
            scale: 1.0,
            size: None,
            degradation: None,
        }
    }
}

/// So many parallel streams a track has at most.
pub(super) const LANES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn size(max_width: u32, max_height: u32) -> Option<ResolutionRestriction> {
        Some(ResolutionRestriction {
            max_width,
            max_height,
        })
    }

    /// One encoder keeps to what all ask that send, however their pictures are turned; who does not send asks nothing.
    #[test]
    fn several_wishes_are_one() {
        let wanted = |framerate, scale, size| Wanted {
            active: true,
            framerate: Some(framerate),
            scale,
            size,
            degradation: None,
        };
        let one = wanted(30.0, 2.0, size(640, 360));
        let other = wanted(15.0, 4.0, size(320, 480));
        let both = wanted(15.0, 4.0, size(480, 320));
        assert_eq!((one.and(other), other.and(one)), (both, both));
        assert_eq!(one.and(Wanted::default()), one);
        let silent = Wanted {
            active: false,
            ..other
        };
        assert_eq!((one.and(silent), silent.and(one)), (one, one));
        assert!(!silent.and(silent).active);
    }

    /// WebRTC Extensions §5.2.6.
    #[test]
    fn a_size_counts_more_than_a_scale() {
        let mut encoding = RtpEncodingParameters {
            scale_resolution_down_by: Some(2.0),
            ..RtpEncodingParameters::default()
        };
        assert_eq!(Wanted::of(&encoding, None).scale, 2.0);
        encoding.scale_resolution_down_to = size(640, 360);
        assert_eq!(Wanted::of(&encoding, None).scale, 1.0);
    }
}
