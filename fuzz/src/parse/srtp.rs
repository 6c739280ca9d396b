//! What SRTP opens: whatever comes, a forged packet changes nothing.

use oxirtc_srtp::{Config, Context, Profile, Role};

fn context(profile: Profile, role: Role) -> Context {
    let material = vec![7; profile.material_len()];
    let config = Config::new(profile).cryptex(true).encrypted(&[1, 2, 200]);
    Context::new(config, &material, role).expect("material as long as it must be")
}

/// Opens the bytes as RTP and RTCP under every profile: none is authentic. Then protects them, if they are a packet, and
/// opens that: the same comes back.
///
/// # Panics
/// When a property does not hold.
pub fn srtp_packet(bytes: &[u8]) {
    for profile in Profile::ALL {
        let mut client = context(profile, Role::Client);
        let mut server = context(profile, Role::Server);
        assert!(server.unprotect_rtp(&mut bytes.to_vec()).is_none());
        assert!(server.unprotect_rtcp(&mut bytes.to_vec()).is_none());
        let mut buf = vec![0xee];
        buf.extend_from_slice(bytes);
        match client.protect_rtp(&mut buf, 1) {
            Ok(()) => {
                assert!(buf.len() <= 1 + bytes.len() + client.tailroom());
                let opened = server.unprotect_rtp(&mut buf[1..]).expect("authentic");
                // Cryptex gives sources without an extension an empty one.
                assert!(opened == bytes || opened.len() == bytes.len() + 4);
            }
            Err(_) => assert_eq!(&buf[1..], bytes),
        }
        let mut buf = bytes.to_vec();
        if client.protect_rtcp(&mut buf, 0).is_ok() {
            assert_eq!(buf.len(), bytes.len() + client.tailroom_rtcp());
            assert_eq!(server.unprotect_rtcp(&mut buf).expect("authentic"), bytes);
        }
    }
}
