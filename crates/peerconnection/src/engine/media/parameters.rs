//! `getParameters()`, `setParameters()`, and what is checked of encodings (W3C §5.1, §5.2).

use std::time::Instant;

use super::{
    scalability,
    transceivers::{MediaTransceiver, no_transceiver},
};
use crate::{
    Error, ErrorKind, MediaKind, RtcpParameters, RtpCodec, RtpEncodingParameters,
    RtpReceiveParameters, RtpSendParameters,
    engine::{Engine, convert, ids::TransceiverId},
};

impl Engine {
    /// W3C §5.2, `getParameters()` of a sender: the beginning of a transaction. Of a transceiver that is not in the connection any
    /// more they are as they were last.
    pub fn parameters(&mut self, id: TransceiverId) -> RtpSendParameters {
        let transaction = self.media.next_transaction();
        let cname = self.equipment.cname.clone();
        match self.media.get_mut(id) {
            Some(it) => {
                it.sender.transaction = Some(transaction);
                shown(it, transaction, cname)
            }
            None => RtpSendParameters {
                transaction_id: transaction.to_string(),
                ..self.media.left(id)
            },
        }
    }

    /// [4.4.1.6-26] An answer of ours: whoever is about to set parameters asks for them again.
    pub(in crate::engine) fn end_transactions(&mut self) {
        let negotiator = &self.negotiation.negotiator;
        for it in self.media.iter_mut() {
            let described = negotiator.transceiver(it.id.0);
            if described.is_some_and(|it| it.mid().is_some()) {
                it.sender.transaction = None;
            }
        }
    }

    /// The transceiver is not in the connection any more.
    pub(in crate::engine) fn part(&mut self, id: TransceiverId) {
        if let Some(it) = self.media.get(id) {
            let shown = shown(it, 0, self.equipment.cname.clone());
            self.media.remove(id, shown);
        }
    }

    /// W3C §5.2, `setParameters()`: the encodings of what [`parameters`](Self::parameters) has given.
    ///
    /// # Errors
    ///
    /// `InvalidState` when the transceiver is stopping, or nothing was asked for before, or it was set or answered meanwhile;
    /// `InvalidModification` when something changes that may not, or values do not fit each other or the codec; `Range` for a scale below 1, and a frame rate below 0.
    pub fn set_parameters(
        &mut self,
        now: Instant,
        id: TransceiverId,
        parameters: RtpSendParameters,
    ) -> Result<(), Error> {
        self.check_running(id)?;
        let cname = self.equipment.cname.clone();
        let it = self.media.get_mut(id).ok_or_else(no_transceiver)?;
        let Some(transaction) = it.sender.transaction else {
            let message = "the parameters were not asked for, or were set or answered since";
            return Err(Error::new(ErrorKind::InvalidState, message));
        };
        let before = shown(it, transaction, cname);
        let rids = |it: &RtpSendParameters| -> Vec<_> {
            it.encodings.iter().map(|it| it.rid.clone()).collect()
        };
        let numbers = |it: &RtpSendParameters| -> Vec<_> {
            it.encodings
                .iter()
                .map(|it| it.codec_payload_type)
                .collect()
        };
        let same = before.transaction_id == parameters.transaction_id
            && rids(&before) == rids(&parameters)
            && numbers(&before) == numbers(&parameters)
            && before.header_extensions == parameters.header_extensions
            && before.rtcp == parameters.rtcp
            && before.codecs == parameters.codecs;
        if !same {
            let message = "only what an encoding is set to may change";
            return Err(Error::new(ErrorKind::InvalidModification, message));
        }
        let mut encodings = parameters.encodings;
        // [5.2-12]
        let negotiated = it.sender.negotiated.as_deref();
        let choosable = |codec| match negotiated {
            Some(negotiated) => convert::is_sent(it.kind, codec, &negotiated.codecs),
            None => convert::is_known(it.kind, codec),
        };
        if !encodings
            .iter()
            .filter_map(|it| it.codec.as_ref())
            .all(choosable)
        {
            let message = "a codec that is not negotiated";
            return Err(Error::new(ErrorKind::InvalidModification, message));
        }
        // WebRTC SVC §4.2: what names no codec is sent with the first of those that are negotiated.
        let codecs =
            negotiated.map(|negotiated| convert::shown_codecs(it.kind, &negotiated.codecs));
        let first = codecs.as_ref().and_then(|it| it.first());
        let usual = first.map(|it| &it.codec);
        check_values(
            it.kind,
            &mut encodings,
            usual,
            ErrorKind::InvalidModification,
        )?;
        for encoding in &mut encodings {
            encoding.codec_payload_type = None;
            if it.kind == MediaKind::Video {
                encoding.scale_resolution_down_by.get_or_insert(1.0);
            }
        }
        it.sender.encodings = encodings;
        it.sender.degradation = parameters.degradation_preference;
        it.sender.transaction = None;
        self.reconfigure(now, id);
        self.ascend(now);
        Ok(())
    }

    /// W3C §5.3, `getParameters()` of a receiver.
    pub fn receive_parameters(&self, id: TransceiverId) -> RtpReceiveParameters {
        let Some(it) = self.media.get(id) else {
            return RtpReceiveParameters::default();
        };
        // [4.4.1.6-25]: nothing can be received where nothing is to be.
        let negotiated = it.receiver.negotiated.as_deref();
        let negotiated = negotiated.filter(|_| it.receiver.receptive);
        convert::shown_receive_parameters(it.kind, negotiated)
    }
}

/// [5.2-06] [5.2-07]
fn shown(it: &MediaTransceiver, transaction: u64, cname: String) -> RtpSendParameters {
    let negotiated = it.sender.negotiated.as_deref();
    let in_use = |encoding: &RtpEncodingParameters| {
        let negotiated = negotiated?;
        convert::payload_type(it.kind, encoding.codec.as_ref(), &negotiated.codecs)
    };
    let encodings = it.sender.encodings.iter().map(|it| RtpEncodingParameters {
        codec_payload_type: in_use(it),
        ..it.clone()
    });
    RtpSendParameters {
        transaction_id: transaction.to_string(),
        encodings: encodings.collect(),
        header_extensions: negotiated
            .map_or_else(Vec::new, |it| convert::shown_extensions(&it.extensions)),
        rtcp: RtcpParameters {
            cname: Some(cname),
            reduced_size: negotiated.is_some_and(|it| it.reduced_size),
        },
        codecs: negotiated.map_or_else(Vec::new, |negotiated| {
            convert::shown_codecs(it.kind, &negotiated.codecs)
        }),
        degradation_preference: it.sender.degradation,
    }
}

/// [5.1-14] [5.1-17] [5.1-18] What `addTransceiver` checks of encodings, in its order. Rids themselves are the negotiator's.
pub(super) fn checked(
    kind: MediaKind,
    mut encodings: Vec<RtpEncodingParameters>,
) -> Result<Vec<RtpEncodingParameters>, Error> {
    let named = encodings.iter().filter(|it| it.rid.is_some()).count();
    if encodings.len() > 1 && named != encodings.len() {
        let message = "of several encodings each needs a rid";
        return Err(Error::new(ErrorKind::Type, message));
    }
    // [5.1-15]
    if encodings.iter().any(|it| it.codec_payload_type.is_some()) {
        let message = "a payload type is negotiated, and cannot be set";
        return Err(Error::new(ErrorKind::InvalidAccess, message));
    }
    // [5.1-16]
    let mut codecs = encodings.iter().filter_map(|it| it.codec.as_ref());
    if !codecs.all(|it| convert::is_known(kind, it)) {
        let message = "a codec that cannot be sent";
        return Err(Error::new(ErrorKind::Operation, message));
    }
    check_values(kind, &mut encodings, None, ErrorKind::Operation)?;
    // [5.1-18]: here it is to be above 0, in `setParameters` at least 0.
    if encodings.iter().any(|it| it.max_framerate == Some(0.0)) {
        return Err(out_of_range("a frame rate is above 0"));
    }
    Ok(encodings)
}

/// What encodings are set to, after the members that are for another kind of media were dropped. `usual` is the codec of those that
/// name none, and `refused` what the extensions of W3C have for values that do not fit.
fn check_values(
    kind: MediaKind,
    encodings: &mut [RtpEncodingParameters],
    usual: Option<&RtpCodec>,
    refused: ErrorKind,
) -> Result<(), Error> {
    for encoding in encodings.iter_mut() {
        match kind {
            MediaKind::Audio => {
                encoding.scale_resolution_down_by = None;
                encoding.max_framerate = None;
                encoding.scale_resolution_down_to = None;
                encoding.scalability_mode = None;
            }
            MediaKind::Video => {
                encoding.ptime = None;
                encoding.adaptive_ptime = false;
                encoding.dtx = None;
            }
        }
    }
    // WebRTC SVC §4.1: right behind the codecs.
    check_modes(encodings, usual, refused)?;
    check_ranges(encodings)?;
    check_restrictions(encodings, refused)?;
    // WebRTC Extensions, "RTCRtpEncodingParameters extensions"
    if encodings
        .iter()
        .any(|it| it.adaptive_ptime && it.ptime.is_some())
    {
        let message = "packets are of one length or of any";
        return Err(Error::new(ErrorKind::InvalidModification, message));
    }
    Ok(())
}

/// WebRTC SVC §4.1, §4.2: a mode is one of the codec, and streams of several sizes in one are not sent beside others.
fn check_modes(
    encodings: &[RtpEncodingParameters],
    usual: Option<&RtpCodec>,
    refused: ErrorKind,
) -> Result<(), Error> {
    let known = |it: &RtpEncodingParameters| {
        let codec = it.codec.as_ref().or(usual);
        let mode = it.scalability_mode.as_deref();
        mode.is_none_or(|mode| scalability::is_mode_of(mode, codec))
    };
    if !encodings.iter().all(known) {
        let message = "a scalability mode that the codec does not have";
        return Err(Error::new(refused, message));
    }
    let active = encodings.iter().filter(|it| it.active);
    let mut modes = active.clone().filter_map(|it| it.scalability_mode.as_ref());
    if active.count() > 1 && modes.any(|mode| mode.starts_with('S')) {
        let message = "one stream of several sizes, or several streams";
        return Err(Error::new(refused, message));
    }
    Ok(())
}

/// WebRTC Extensions: a size of nothing is none, and what some streams of those that are sent have, all have.
fn check_restrictions(
    encodings: &[RtpEncodingParameters],
    refused: ErrorKind,
) -> Result<(), Error> {
    let restricted = encodings
        .iter()
        .filter_map(|it| it.scale_resolution_down_to);
    let mut empty = restricted.filter(|it| it.max_width == 0 || it.max_height == 0);
    if empty.next().is_some() {
        return Err(Error::new(refused, "a picture has at least one pixel"));
    }
    let active = encodings.iter().filter(|it| it.active);
    let active: Vec<_> = active
        .map(|it| it.scale_resolution_down_to.is_some())
        .collect();
    if active.contains(&true) && active.contains(&false) {
        let message = "all streams that are sent have a largest size, or none";
        return Err(Error::new(refused, message));
    }
    Ok(())
}

fn check_ranges(encodings: &[RtpEncodingParameters]) -> Result<(), Error> {
    // What is no number is within no range.
    let below = |value: Option<f64>, least: f64| value.is_some_and(|it| it.is_nan() || it < least);
    for encoding in encodings {
        if below(encoding.scale_resolution_down_by, 1.0) {
            return Err(out_of_range("a picture is never made larger"));
        }
        if below(encoding.max_framerate, 0.0) {
            return Err(out_of_range("a frame rate is never below 0"));
        }
    }
    Ok(())
}

/// Whether one has a scale.
pub(super) fn is_scaled(encodings: &[RtpEncodingParameters]) -> bool {
    let mut scales = encodings.iter().map(|it| it.scale_resolution_down_by);
    scales.any(|it| it.is_some())
}

/// [5.1-19] What is not said of the scales of video.
pub(super) fn scale(kind: MediaKind, encodings: &mut [RtpEncodingParameters]) {
    if kind == MediaKind::Audio {
        return;
    }
    let given = is_scaled(encodings);
    let mut usual = 1.0;
    for encoding in encodings.iter_mut().rev() {
        encoding.scale_resolution_down_by.get_or_insert(usual);
        if !given {
            usual *= 2.0;
        }
    }
}

fn out_of_range(message: &str) -> Error {
    Error::new(ErrorKind::Range, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DtxStatus, ResolutionRestriction};

    fn named(rid: &str) -> RtpEncodingParameters {
        RtpEncodingParameters::named(rid)
    }

    /// [5.1-14] [5.1-17] [5.1-18]
    #[test]
    fn encodings_are_checked() {
        let plain = RtpEncodingParameters::default;
        let video = |list: &[RtpEncodingParameters]| checked(MediaKind::Video, list.to_vec());
        assert!(video(&[]).is_ok() && video(&[plain()]).is_ok());
        assert!(video(&[named("a"), named("b")]).is_ok());
        for wrong in [vec![named("a"), plain()], vec![plain(), plain()]] {
            assert_eq!(video(&wrong).unwrap_err().kind(), ErrorKind::Type);
        }
        let scaled = |scale| RtpEncodingParameters {
            scale_resolution_down_by: Some(scale),
            ..plain()
        };
        let paced = |rate| RtpEncodingParameters {
            max_framerate: Some(rate),
            ..plain()
        };
        assert!(video(&[scaled(1.0)]).is_ok() && video(&[paced(0.1)]).is_ok());
        let scales = [0.5, f64::NAN, -1.0].map(scaled);
        let rates = [0.0, -0.0, f64::NAN, -1.0].map(paced);
        for wrong in scales.into_iter().chain(rates) {
            let error = video(std::slice::from_ref(&wrong)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Range, "{wrong:?}");
        }
        let audio = checked(MediaKind::Audio, vec![paced(0.0)]).unwrap();
        assert_eq!(audio[0].max_framerate, None);
        let audio = checked(MediaKind::Audio, vec![scaled(0.5)]).unwrap();
        assert_eq!(audio[0].scale_resolution_down_by, None);
    }

    /// [5.1-15]
    #[test]
    fn a_payload_type_is_told_and_not_set() {
        let numbered = RtpEncodingParameters {
            codec_payload_type: Some(96),
            ..RtpEncodingParameters::default()
        };
        let error = checked(MediaKind::Video, vec![numbered]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidAccess);
    }

    /// [5.2.6-04]
    #[test]
    fn sizes_are_for_all_streams_that_are_sent() {
        let sized = |rid, max_width, active| RtpEncodingParameters {
            scale_resolution_down_to: Some(ResolutionRestriction {
                max_width,
                max_height: 180,
            }),
            active,
            ..named(rid)
        };
        let kind_of = |list: &[RtpEncodingParameters]| {
            let checked = checked(MediaKind::Video, list.to_vec());
            checked.map_err(|error| error.kind()).map(drop)
        };
        assert_eq!(
            kind_of(&[sized("a", 320, true), sized("b", 1, true)]),
            Ok(())
        );
        let mut flat = sized("a", 320, false);
        flat.scale_resolution_down_to = Some(ResolutionRestriction {
            max_width: 320,
            max_height: 0,
        });
        for empty in [sized("a", 0, false), flat] {
            let empty = kind_of(&[empty, named("b")]);
            assert_eq!(empty, Err(ErrorKind::Operation));
        }
        let some = kind_of(&[sized("a", 320, true), named("b")]);
        assert_eq!(some, Err(ErrorKind::Operation));
        // What is not sent needs none, and counts for none.
        assert_eq!(kind_of(&[sized("a", 320, false), named("b")]), Ok(()));
        let paused = RtpEncodingParameters {
            active: false,
            ..named("b")
        };
        assert_eq!(kind_of(&[sized("a", 320, true), paused]), Ok(()));
    }

    /// [5.2.6-04] [5.2.7-01] What is for another kind of media is not there.
    #[test]
    fn members_of_another_kind_are_dropped() {
        let all = RtpEncodingParameters {
            adaptive_ptime: true,
            dtx: Some(DtxStatus::Enabled),
            scalability_mode: Some("L1T2".to_owned()),
            scale_resolution_down_to: Some(ResolutionRestriction {
                max_width: 0,
                max_height: 0,
            }),
            ..RtpEncodingParameters::default()
        };
        let audio = checked(MediaKind::Audio, vec![all.clone()])
            .unwrap()
            .remove(0);
        assert!(audio.adaptive_ptime);
        assert_eq!(audio.dtx, Some(DtxStatus::Enabled));
        assert_eq!(audio.scalability_mode, None);
        assert_eq!(audio.scale_resolution_down_to, None);
        let both = RtpEncodingParameters {
            ptime: Some(20),
            ..all.clone()
        };
        let error = checked(MediaKind::Audio, vec![both.clone()]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidModification);
        let fixed = RtpEncodingParameters {
            adaptive_ptime: false,
            ..both.clone()
        };
        let audio = checked(MediaKind::Audio, vec![fixed]).unwrap();
        assert_eq!(audio[0].ptime, Some(20));
        let video = RtpEncodingParameters {
            scale_resolution_down_to: None,
            ..both
        };
        let video = checked(MediaKind::Video, vec![video]).unwrap().remove(0);
        assert_eq!(
            (video.ptime, video.adaptive_ptime, video.dtx),
            (None, false, None)
        );
        assert_eq!(video.scalability_mode.as_deref(), Some("L1T2"));
        let nonsense = RtpEncodingParameters {
            scalability_mode: Some("L9T9".to_owned()),
            ..RtpEncodingParameters::default()
        };
        let error = checked(MediaKind::Video, vec![nonsense]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Operation);
    }

    /// [5.2.6-04] Several sizes go in one stream or in several.
    #[test]
    fn a_stream_of_all_sizes_is_sent_alone() {
        let moded = |rid, mode: &str, active| RtpEncodingParameters {
            scalability_mode: Some(mode.to_owned()),
            active,
            ..named(rid)
        };
        let kind_of = |list: &[RtpEncodingParameters]| {
            let checked = checked(MediaKind::Video, list.to_vec());
            checked.map_err(|error| error.kind()).map(drop)
        };
        assert_eq!(kind_of(&[moded("a", "S2T1", true)]), Ok(()));
        let both = [moded("a", "S2T1", true), named("b")];
        assert_eq!(kind_of(&both), Err(ErrorKind::Operation));
        let layered = [moded("a", "L2T1", true), named("b")];
        assert_eq!(kind_of(&layered), Ok(()));
        for paused in [0, 1] {
            let mut one = both.clone();
            one[paused].active = false;
            assert_eq!(kind_of(&one), Ok(()));
        }
        // Of one that is not sent the mode is none.
        let beside = [moded("a", "S2T1", false), named("b"), named("c")];
        assert_eq!(kind_of(&beside), Ok(()));
    }

    /// [5.1-19]
    #[test]
    fn layers_are_scaled_by_halves_unless_one_says_otherwise() {
        let scales = |list: &[RtpEncodingParameters]| -> Vec<_> {
            list.iter().map(|it| it.scale_resolution_down_by).collect()
        };
        let mut layers = vec![named("q"), named("h"), named("f")];
        scale(MediaKind::Video, &mut layers);
        assert_eq!(scales(&layers), [Some(4.0), Some(2.0), Some(1.0)]);
        let mut layers = vec![named("q"), named("f")];
        layers[0].scale_resolution_down_by = Some(3.0);
        scale(MediaKind::Video, &mut layers);
        assert_eq!(scales(&layers), [Some(3.0), Some(1.0)]);
    }
}
