//! A packet costs no allocation, once its stream is known.
#![expect(clippy::unwrap_used, reason = "a failing step is a failing test")]

use std::alloc::System;

use oxirtc_srtp::{Config, Context, Profile, Role};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn nothing_is_allocated_for_a_packet() {
    for profile in Profile::ALL {
        // Who runs the tests allocates now and then beside them; a packet would each time.
        let allocations = (0..5).map(|_| allocations_of(profile)).min();
        assert_eq!(allocations, Some(0), "{profile}");
    }
}

/// How often memory is allocated for 999 packets of RTP and as many of RTCP, both ways.
fn allocations_of(profile: Profile) -> usize {
    let material = vec![3; profile.material_len()];
    let config = Config::new(profile).encrypted(&[1]);
    let mut client = Context::new(config.clone(), &material, Role::Client).unwrap();
    let mut server = Context::new(config, &material, Role::Server).unwrap();
    let mut buf = Vec::with_capacity(2000);
    let mut region = None;
    for number in 0..1000_u16 {
        // The first packet makes the stream, at both ends.
        if number == 1 {
            region = Some(Region::new(ALLOCATOR));
        }
        buf.clear();
        buf.extend_from_slice(&[0x90, 96]);
        buf.extend_from_slice(&number.to_be_bytes());
        buf.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 2, 0xbe, 0xde, 0, 1, 0x11, 1, 2, 0]);
        buf.resize(1200, 5);
        client.protect_rtp(&mut buf, 0).unwrap();
        assert!(server.unprotect_rtp(&mut buf).is_some());
        buf.truncate(8);
        client.protect_rtcp(&mut buf, 0).unwrap();
        assert!(server.unprotect_rtcp(&mut buf).is_some());
    }
    let change = region.unwrap().change();
    change.allocations + change.reallocations
}
