//! How much one key may do (RFC 9147 §4.5.3, RFC 8446 §5.5).

use crate::record::wire::MAX_SEQUENCE;

/// Records that may be sealed with one key, and how many before it is renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) records: u64,
    pub(crate) renew: u64,
}

impl Limit {
    /// 1.2: its peers know no update, so the numbers alone end a key.
    pub(crate) const V12: Self = Self {
        records: MAX_SEQUENCE + 1,
        renew: u64::MAX,
    };
    /// AES-GCM of 1.3: 2^24.5 full records.
    pub(crate) const GCM: Self = Self {
        records: 23_726_566,
        renew: 1 << 23,
    };
    /// ChaCha20-Poly1305 of 1.3 has no limit below that of the numbers.
    pub(crate) const CHACHA20: Self = Self {
        records: MAX_SEQUENCE + 1,
        renew: 1 << 47,
    };

    /// Whether a record with this number may be sealed.
    pub(crate) fn admits(self, sequence: u64) -> bool {
        sequence < self.records
    }
}

/// Records that may fail to open in one epoch: the weakest limit of the suites, ChaCha20's and GCM's.
pub(crate) const MAX_FORGED: u64 = 1 << 36;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_record_of_a_key_is_its_limit() {
        // Each number that there is: RFC 9147 §4.2.
        assert_eq!([Limit::V12.records, Limit::CHACHA20.records], [1 << 48; 2]);
        for limit in [Limit::V12, Limit::GCM, Limit::CHACHA20] {
            assert!(limit.admits(0) && limit.admits(limit.records - 1));
            assert!(!limit.admits(limit.records));
            assert!(limit.records <= MAX_SEQUENCE + 1);
        }
        assert_eq!(Limit::GCM.records, 2_f64.powf(24.5) as u64);
    }

    /// RFC 9147 §4.5.3: a key is renewed long before its limit, and forgeries are the fewest that any suite bears. 1.2 renews nothing.
    #[test]
    fn keys_are_renewed_before_their_limits() {
        assert_eq!(MAX_FORGED, 2_u64.pow(36));
        for (limit, renew) in [
            (Limit::GCM, 2_u64.pow(23)),
            (Limit::CHACHA20, 2_u64.pow(47)),
            (Limit::V12, u64::MAX),
        ] {
            assert_eq!(limit.renew, renew);
        }
    }
}
