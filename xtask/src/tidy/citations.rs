//! RFCs are cited in one form: `RFC 8445 §7.3.1.1`.

use super::finding::Finding;
use crate::sources::Source;

pub(super) fn check(source: &Source) -> Vec<Finding> {
    let wrong = |(number, line): (usize, &str)| {
        let (_, comment) = line.split_once("//")?;
        let what = fault(comment)?;
        Some(Finding::at("citations", source, number, what))
    };
    source.lines().filter_map(wrong).collect()
}

fn fault(comment: &str) -> Option<&'static str> {
    for (position, _) in comment.match_indices("RFC") {
        let before = comment[..position].chars().next_back();
        let rest = &comment[position + 3..];
        let digits = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
        let named = before.is_some_and(|c| c.is_alphanumeric() || c == '/' || c == '-');
        if digits(rest) && !named {
            return Some("write «RFC 8445», with a space");
        }
        let Some(rest) = rest.strip_prefix(' ').filter(|rest| digits(rest)) else {
            continue;
        };
        let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let after = after.trim_start_matches([',', ' ']).to_lowercase();
        if after.starts_with("section ") || after.starts_with("sec.") || after.starts_with("s.") {
            return Some("cite a section as «§7.3.1.1»");
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_the_one_form() {
        assert_eq!(fault(" RFC 8445 §7.3.1.1: why"), None);
        assert_eq!(fault(" RFCs are many; RFC 8831, 8832"), None);
    }

    #[test]
    fn finds_other_forms() {
        assert!(fault(" RFC8445").is_some());
        assert!(fault(" RFC 8445 section 7.3").is_some());
        assert!(fault(" RFC 8445, Section 7.3").is_some());
    }
}
