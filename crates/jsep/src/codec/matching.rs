//! When two codecs are the same.

use super::{
    Codec,
    fmtp::{Parameters, Rule, h264, rules},
};

/// Whether levels, which each end has of its own, are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Levels {
    /// They must be equal as well.
    Compared,
    /// They may differ.
    Ignored,
}

impl Codec {
    /// W3C's codec dictionary match (§5.4): name, clock rate, channels, and the parameters that make a
    /// codec another one, where both have parameters or neither has.
    pub fn is_same(&self, other: &Self, levels: Levels) -> bool {
        let both = self.parameters.is_some() == other.parameters.is_some();
        both && self.channels == other.channels && self.agrees(other, levels)
    }

    /// Whether what one end offers the other can answer (RFC 3264 §6.1): parameters that only say what
    /// an end can do are no difference, nor is their absence, nor the one channel that goes without saying.
    pub fn is_answer_to(&self, offered: &Self) -> bool {
        let channels = |codec: &Self| codec.channels.unwrap_or(1);
        channels(self) == channels(offered) && self.agrees(offered, Levels::Ignored)
    }

    fn agrees(&self, other: &Self, levels: Levels) -> bool {
        if !self.is(&other.name) || self.clock_rate != other.clock_rate {
            return false;
        }
        let read = |codec: &'_ Self| codec.parameters.clone().unwrap_or_default();
        let (one, two) = (read(self), read(other));
        match (Parameters::read(&one), Parameters::read(&two)) {
            // of codecs without rules, what is no list is a name
            (Parameters::Plain(one), Parameters::Plain(two)) => one == two || self.is_auxiliary(),
            (one, two) => rules(self).iter().all(|(name, rule, default)| {
                if *rule == Rule::Asymmetric && levels == Levels::Ignored {
                    return true;
                }
                let value = |of: &Parameters<'_>| of.get(name).unwrap_or(default).to_owned();
                is_equal(name, &value(&one), &value(&two), levels)
            }),
        }
    }
}

fn is_equal(name: &str, one: &str, two: &str, levels: Levels) -> bool {
    if name != "profile-level-id" {
        return one.eq_ignore_ascii_case(two);
    }
    match (h264(one), h264(two)) {
        (Some((one, one_level)), Some((two, two_level))) => {
            one == two && (levels == Levels::Ignored || one_level == two_level)
        }
        // malformed: it is only what it is
        _ => one.eq_ignore_ascii_case(two),
    }
}
