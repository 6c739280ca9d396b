//! The value of `a=fingerprint`: what is printed is read again, equal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxirtc_dtls::Fingerprint;

fuzz_target!(|text: &str| {
    if let Ok(fingerprint) = text.parse::<Fingerprint>() {
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
    }
});
