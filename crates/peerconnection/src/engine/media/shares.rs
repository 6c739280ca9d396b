//! Whose turn it is to send on a transport that carries media and data.

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Turn {
    /// RTP.
    Media,
    /// SCTP.
    Data,
}

/// Deficit round robin of the two, whose accounts may go below zero, so that no size is needed beforehand.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::engine) struct Shares {
    accounts: [i64; 2],
    weights: [i64; 2],
}

impl Shares {
    pub(in crate::engine) fn new() -> Self {
        Self {
            accounts: [0; 2],
            // W3C's `low` for both, where nobody has said anything else (RFC 8835 §4.1).
            weights: [QUANTUM; 2],
        }
    }

    /// How much media counts, by the weight of the most important of its streams (RFC 8831 §6.4, where 256 is W3C's `low`).
    pub(in crate::engine) fn set_media_weight(&mut self, weight: u16) {
        self.weights[0] = QUANTUM * i64::from(weight.max(1)) / LOW;
    }

    /// Who is to go first, when media is ready or not. Data says only when it is asked.
    pub(in crate::engine) fn first(&mut self, media: bool) -> Turn {
        if !media {
            // Who is alone owes nothing, and an idle side keeps no credit.
            self.accounts = [0; 2];
            return Turn::Data;
        }
        let [of_media, of_data] = &mut self.accounts;
        if *of_media <= 0 && *of_data <= 0 {
            let [for_media, for_data] = self.weights;
            let rounds = 1 + (-*of_media / for_media).min(-*of_data / for_data);
            *of_media += for_media * rounds;
            *of_data += for_data * rounds;
        }
        if *of_media > 0 && *of_media >= *of_data {
            Turn::Media
        } else {
            Turn::Data
        }
    }

    /// So much was sent.
    pub(in crate::engine) fn spent(&mut self, turn: Turn, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let [of_media, of_data] = &mut self.accounts;
        let account = match turn {
            Turn::Media => of_media,
            Turn::Data => of_data,
        };
        *account = account.saturating_sub(bytes);
    }

    /// Data had its turn and nothing to send: media is alone.
    pub(in crate::engine) fn idle(&mut self) {
        self.accounts = [0; 2];
    }
}

const QUANTUM: i64 = 4096;
const LOW: i64 = 256;

#[cfg(test)]
mod tests {
    use super::*;

    /// Both are busy: each gets half, however large its packets are.
    #[test]
    fn two_that_are_busy_share_evenly() {
        let mut shares = Shares::new();
        let mut sent = [0_usize; 2];
        for _ in 0..10_000 {
            let turn = shares.first(true);
            let bytes = [300, 1200][turn as usize];
            sent[turn as usize] += bytes;
            shares.spent(turn, bytes);
        }
        let [media, data] = sent.map(|it| it as f64);
        assert!((media / data - 1.0).abs() < 0.01, "{sent:?}");
    }

    /// [4.9-01] Media of a higher priority gets as much more, and of a lower one as much less, than data, which is `low`.
    #[test]
    fn media_counts_as_its_priority_says() {
        for (weight, wanted) in [(128, 0.5), (256, 1.0), (512, 2.0), (1024, 4.0)] {
            let mut shares = Shares::new();
            shares.set_media_weight(weight);
            let mut sent = [0_usize; 2];
            for _ in 0..20_000 {
                let turn = shares.first(true);
                let bytes = [300, 1200][turn as usize];
                sent[turn as usize] += bytes;
                shares.spent(turn, bytes);
            }
            let [media, data] = sent.map(|it| it as f64);
            let share = media / data / wanted;
            assert!((share - 1.0).abs() < 0.02, "{weight}: {sent:?}");
        }
    }

    /// One that was silent for long has saved nothing up.
    #[test]
    fn silence_earns_nothing() {
        let mut shares = Shares::new();
        for _ in 0..1000 {
            assert_eq!(shares.first(false), Turn::Data);
            shares.spent(Turn::Data, 1200);
        }
        let mut in_a_row = 0;
        let mut longest = 0;
        for _ in 0..1000 {
            let turn = shares.first(true);
            in_a_row = if turn == Turn::Media { in_a_row + 1 } else { 0 };
            longest = longest.max(in_a_row);
            shares.spent(turn, 1200);
            if turn == Turn::Data {
                break;
            }
        }
        assert!(longest < 1000, "data waits for ever");
        let mut shares = Shares::new();
        for _ in 0..1000 {
            let turn = shares.first(true);
            if turn == Turn::Data {
                shares.idle();
            }
            shares.spent(Turn::Media, 1200);
        }
        // Data comes back: it gets its turn at once, and no more than its half from then on.
        let turns: Vec<_> = (0..20)
            .map(|_| {
                let turn = shares.first(true);
                shares.spent(turn, 1200);
                turn
            })
            .collect();
        let data = turns.iter().filter(|it| **it == Turn::Data).count();
        assert!((8..=12).contains(&data), "{turns:?}");
    }
}
