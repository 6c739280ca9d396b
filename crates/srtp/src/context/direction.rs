//! The keys of one direction, and what was done with them.

use crate::{
    Config, Profile,
    cipher::{Aes, Cipher, Cm, Gcm},
    derive::{Label, Master},
    encrypted::HeaderKey,
    header::Header,
    stream::{Ended, Stream, Streams},
};

pub(super) struct Direction {
    pub(super) rtp: Cipher,
    pub(super) rtcp: Cipher,
    pub(super) header: HeaderKey,
    pub(super) streams: Streams,
}

impl Direction {
    /// `None` if key or salt have not the lengths of the profile.
    pub(super) fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Option<Self> {
        let master = Master::new(key, salt)?;
        let cipher = |[key_label, authentication, salt]: [Label; 3], tag| {
            let mut session = zeroize::Zeroizing::new([0; 32]);
            let session = session.get_mut(..profile.key_len())?;
            master.fill(key_label, session);
            Some(if profile.is_aead() {
                Cipher::Gcm(Box::new(Gcm::new(session, master.derive(salt))?))
            } else {
                let authentication = master.derive(authentication);
                Cipher::Cm(Cm::new(session, master.derive(salt), &authentication, tag)?)
            })
        };
        let rtp = [Label::RtpKey, Label::RtpAuthentication, Label::RtpSalt];
        let rtcp = [Label::RtcpKey, Label::RtcpAuthentication, Label::RtcpSalt];
        // RFC 7714 §8.3: header extensions go through counter mode under GCM as well.
        let mut session = zeroize::Zeroizing::new([0; 32]);
        let session = session.get_mut(..profile.key_len())?;
        master.fill(Label::HeaderKey, session);
        Some(Self {
            rtp: cipher(rtp, profile.rtp_tag())?,
            rtcp: cipher(rtcp, profile.rtcp_tag())?,
            header: HeaderKey::new(Aes::new(session)?, master.derive(Label::HeaderSalt)),
            streams: Streams::default(),
        })
    }

    /// The state of an SSRC of which a packet was authentic; what is `left` of it where it is not among those that live. `None` if there are
    /// too many.
    pub(super) fn known(
        &mut self,
        ssrc: u32,
        left: Option<Ended>,
        config: &Config,
    ) -> Option<&mut Stream> {
        let Some(left) = left else {
            return self.streams.get(ssrc);
        };
        let has_room = self.streams.len() < config.streams;
        has_room.then(|| self.streams.begin(ssrc, left, config.window))
    }

    /// Encrypts or decrypts the header extensions with these ids, if the packet has extensions.
    pub(super) fn apply_encrypted(
        &self,
        packet: &mut [u8],
        header: &Header,
        index: u64,
        ids: Option<&[bool; 256]>,
    ) {
        if let Some(ids) = ids.filter(|_| header.extension.is_some()) {
            self.header.apply(packet, header, index, ids);
        }
    }
}
