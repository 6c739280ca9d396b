//! A stream of a TURN server, cut anyhow.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxirtc_fuzz::turn::Stream;

fuzz_target!(|stream: Stream| stream.cut());
