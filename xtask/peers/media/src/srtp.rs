//! Packets of 1200 bytes protected and opened, by profile; with replay protection, as every receiver has it.

use std::hint::black_box;

use anyhow::{Context as _, Result};
use oxirtc_srtp::{Config, Context, Profile, Role};
use rtc_srtp::protection_profile::ProtectionProfile as RtcProfile;
use webrtc_srtp::protection_profile::ProtectionProfile as WebrtcProfile;

use crate::rate::{Rate, rate, rate_of};

/// So many packets are made at once.
const MANY: u16 = 2000;
const LENGTH: usize = 1200;

pub fn measure(stack: &str, row: &str) -> Result<Option<Rate>> {
    let Some((work, profile)) = row.split_once(' ') else {
        return Ok(None);
    };
    let profile = match profile {
        "AES-CM" => Profile::Aes128CmHmacSha1_80,
        "GCM" => Profile::AeadAes128Gcm,
        _ => return Ok(None),
    };
    let mut make = Maker::default();
    let ends = || Ends::new(stack, profile);
    let Some(mut ends) = ends()? else {
        return Ok(None);
    };
    let found = match work {
        "protect" => rate(|| {
            for _ in 0..MANY {
                black_box(ends.protect(make.packet())?);
            }
            Ok(MANY.into())
        })?,
        "open" => {
            let (mut near, mut far) = (ends, Ends::new(stack, profile)?.context("two")?);
            let make = || {
                let packets = (0..MANY).map(|_| near.protect(make.packet()));
                packets.collect::<Result<Vec<_>>>()
            };
            rate_of(make, |packets| {
                for mut packet in packets {
                    far.open(&mut packet)?;
                }
                Ok(MANY.into())
            })?
        }
        _ => return Ok(None),
    };
    Ok(Some(("packets", found)))
}

/// Packets with rising numbers.
struct Maker {
    packet: Vec<u8>,
    number: u16,
}

impl Default for Maker {
    fn default() -> Self {
        let mut packet = vec![0x80, 96, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2];
        packet.resize(LENGTH, 5);
        Self { packet, number: 0 }
    }
}

impl Maker {
    fn packet(&mut self) -> &[u8] {
        self.packet[2..4].copy_from_slice(&self.number.to_be_bytes());
        self.number = self.number.wrapping_add(1);
        &self.packet
    }
}

/// One end: what it protects as a client and opens as a server, of one stack.
enum Ends {
    Ours([Box<Context>; 2], Vec<u8>),
    Rtc([Box<rtc_srtp::context::Context>; 2]),
    Webrtc([Box<webrtc_srtp::context::Context>; 2]),
}

/// What is protected, as the stack gives it.
enum Protected {
    Ours(Vec<u8>),
    Rtc(bytes::BytesMut),
    Webrtc(bytes::Bytes),
}

impl Ends {
    fn new(stack: &str, profile: Profile) -> Result<Option<Self>> {
        let (key, salt) = ([7; 16], vec![9; if profile == GCM { 12 } else { 14 }]);
        Ok(match stack {
            "oxirtc" => {
                // Both directions under one key, as the others are used here: client's, server's, and their salts.
                let material = [&key[..], &key, &salt, &salt].concat();
                let context = |role| Context::new(Config::new(profile), &material, role);
                let both = [
                    Box::new(context(Role::Client)?),
                    Box::new(context(Role::Server)?),
                ];
                Some(Self::Ours(both, Vec::with_capacity(LENGTH + 16)))
            }
            "rtc" => {
                let provider = rtc_crypto::default_provider()?;
                let profile = match profile {
                    GCM => RtcProfile::AeadAes128Gcm,
                    _ => RtcProfile::Aes128CmHmacSha1_80,
                };
                let context = || {
                    let replay = Some(rtc_srtp::option::srtp_replay_protection(64));
                    let crypto = provider.crypto();
                    rtc_srtp::context::Context::new(&key, &salt, profile, replay, None, crypto)
                };
                Some(Self::Rtc([Box::new(context()?), Box::new(context()?)]))
            }
            "webrtc-srtp" => {
                let context = || {
                    let profile = match profile {
                        GCM => WebrtcProfile::AeadAes128Gcm,
                        _ => WebrtcProfile::Aes128CmHmacSha1_80,
                    };
                    let replay = Some(webrtc_srtp::option::srtp_replay_protection(64));
                    webrtc_srtp::context::Context::new(&key, &salt, profile, replay, None)
                };
                Some(Self::Webrtc([Box::new(context()?), Box::new(context()?)]))
            }
            _ => None,
        })
    }

    fn protect(&mut self, packet: &[u8]) -> Result<Protected> {
        Ok(match self {
            Self::Ours([client, _], buf) => {
                // A buffer for each, as the others give; a connection of ours writes into one that it sends from.
                buf.clear();
                buf.extend_from_slice(packet);
                client.protect_rtp(buf, 0)?;
                Protected::Ours(std::mem::replace(buf, Vec::with_capacity(LENGTH + 16)))
            }
            Self::Rtc([client, _]) => Protected::Rtc(client.encrypt_rtp(packet)?),
            Self::Webrtc([client, _]) => Protected::Webrtc(client.encrypt_rtp(packet)?),
        })
    }

    fn open(&mut self, packet: &mut Protected) -> Result<()> {
        match (self, packet) {
            (Self::Ours([_, server], _), Protected::Ours(packet)) => {
                black_box(server.unprotect_rtp(packet).context("authentic")?);
            }
            (Self::Rtc([_, server]), Protected::Rtc(packet)) => {
                black_box(server.decrypt_rtp(packet)?);
            }
            (Self::Webrtc([_, server]), Protected::Webrtc(packet)) => {
                black_box(server.decrypt_rtp(packet)?);
            }
            _ => {}
        }
        Ok(())
    }
}

const GCM: Profile = Profile::AeadAes128Gcm;
