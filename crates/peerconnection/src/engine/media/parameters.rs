//! `getParameters()`, `setParameters()`, and what is checked of encodings (W3C §5.1, §5.2).

use std::time::Instant;

use super::transceivers::{MediaTransceiver, no_transceiver};
use crate::{
    Error, ErrorKind, MediaKind, RtcpParameters, RtpEncodingParameters, RtpReceiveParameters,
    RtpSendParameters,
    engine::{Engine, convert, ids::TransceiverId},
};

impl Engine {
    /// W3C §5.2, `getParameters()` of a sender: the beginning of a transaction.
    ///
    /// # Errors
    ///
    /// `InvalidState` when the transceiver is not in the connection any more.
    pub fn parameters(&mut self, id: TransceiverId) -> Result<RtpSendParameters, Error> {
        let transaction = self.media.next_transaction();
        let cname = self.equipment.cname.clone();
        let it = self.media.get_mut(id).ok_or_else(no_transceiver)?;
        it.sender.transaction = Some(transaction);
        Ok(shown(it, transaction, cname))
    }

    /// W3C §5.2, `setParameters()`: the encodings of what [`parameters`](Self::parameters) has given.
    ///
    /// # Errors
    ///
    /// `InvalidState` when the transceiver is stopping, or nothing was asked for before or it was set meanwhile; `InvalidModification`
    /// when something changes that may not, and where W3C has a `RangeError`.
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
            let message = "the parameters were not asked for, or were set since";
            return Err(Error::new(ErrorKind::InvalidState, message));
        };
        let before = shown(it, transaction, cname);
        let rids = |it: &RtpSendParameters| -> Vec<_> {
            it.encodings.iter().map(|it| it.rid.clone()).collect()
        };
        let same = before.transaction_id == parameters.transaction_id
            && rids(&before) == rids(&parameters)
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
        check_ranges(it.kind, &mut encodings)?;
        if it.kind == MediaKind::Video {
            for encoding in &mut encodings {
                encoding.scale_resolution_down_by.get_or_insert(1.0);
            }
        }
        it.sender.encodings = encodings;
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
        let negotiated = it.receiver.negotiated.as_deref();
        convert::shown_receive_parameters(it.kind, negotiated)
    }
}

/// [5.2-06] [5.2-07]
fn shown(it: &MediaTransceiver, transaction: u64, cname: String) -> RtpSendParameters {
    let negotiated = it.sender.negotiated.as_deref();
    RtpSendParameters {
        transaction_id: transaction.to_string(),
        encodings: it.sender.encodings.clone(),
        header_extensions: negotiated
            .map_or_else(Vec::new, |it| convert::shown_extensions(&it.extensions)),
        rtcp: RtcpParameters {
            cname: Some(cname),
            reduced_size: negotiated.is_some_and(|it| it.reduced_size),
        },
        codecs: negotiated.map_or_else(Vec::new, |negotiated| {
            convert::shown_codecs(it.kind, &negotiated.codecs)
        }),
    }
}

/// [5.1-14] [5.1-17] [5.1-18] What `addTransceiver` checks of encodings, in its order. Rids themselves are the negotiator's.
pub(super) fn checked(
    kind: MediaKind,
    mut encodings: Vec<RtpEncodingParameters>,
) -> Result<Vec<RtpEncodingParameters>, Error> {
    let named = encodings.iter().filter(|it| it.rid.is_some()).count();
    if encodings.len() > 1 && named != encodings.len() || named != 0 && named != encodings.len() {
        let message = "of several encodings each needs a rid";
        return Err(Error::new(ErrorKind::Type, message));
    }
    // [5.1-16]
    let mut codecs = encodings.iter().filter_map(|it| it.codec.as_ref());
    if !codecs.all(|it| convert::is_known(kind, it)) {
        let message = "a codec that cannot be sent";
        return Err(Error::new(ErrorKind::Operation, message));
    }
    check_ranges(kind, &mut encodings)?;
    Ok(encodings)
}

fn check_ranges(kind: MediaKind, encodings: &mut [RtpEncodingParameters]) -> Result<(), Error> {
    // What is no number is within no range.
    let below = |value: Option<f64>, least: f64| value.is_some_and(|it| it.is_nan() || it < least);
    for encoding in encodings {
        if kind == MediaKind::Audio {
            encoding.scale_resolution_down_by = None;
            encoding.max_framerate = None;
        }
        if below(encoding.scale_resolution_down_by, 1.0) {
            return Err(out_of_range("a picture is never made larger"));
        }
        if below(encoding.max_framerate, 0.0) {
            return Err(out_of_range("a frame rate is never below 0"));
        }
    }
    Ok(())
}

/// [5.1-19] What is not said of the scales of video.
pub(super) fn scale(kind: MediaKind, encodings: &mut [RtpEncodingParameters]) {
    if kind == MediaKind::Audio {
        return;
    }
    let given = encodings
        .iter()
        .any(|it| it.scale_resolution_down_by.is_some());
    let mut usual = 1.0;
    for encoding in encodings.iter_mut().rev() {
        encoding.scale_resolution_down_by.get_or_insert(usual);
        if !given {
            usual *= 2.0;
        }
    }
}

/// W3C's `RangeError`, which ECMAScript has beside `TypeError`.
fn out_of_range(message: &str) -> Error {
    Error::new(ErrorKind::Type, message)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(video(&[scaled(1.0)]).is_ok());
        for wrong in [0.5, f64::NAN, -1.0] {
            assert!(video(&[scaled(wrong)]).is_err(), "{wrong}");
        }
        let audio = checked(MediaKind::Audio, vec![scaled(0.5)]).unwrap();
        assert_eq!(audio[0].scale_resolution_down_by, None);
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
