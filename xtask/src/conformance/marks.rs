//! How a comment names a row of a list: `[6.2-07]`, `Known failure 9`, `Known failures 1, 10 and 13`.

/// A row of one of the lists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mark {
    /// Of `docs/w3c.md`.
    Row(String),
    /// Of `docs/known-failures.md`.
    Failure(u32),
}

/// The marks in a line.
pub(crate) fn marks(line: &str) -> Vec<Mark> {
    let mut marks = rows(line);
    marks.extend(failures(line));
    marks
}

/// A section from 1 on, a hyphen and two digits, in brackets. (`[0-9]` and `[0-14]` are none.)
pub(super) fn is_row(id: &str) -> bool {
    let Some((section, sequence)) = id.split_once('-') else {
        return false;
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let chapter = section.split('.').next().unwrap_or_default().parse();
    let is_chapter = chapter.is_ok_and(|number: u32| (1..=CHAPTERS).contains(&number));
    is_chapter && sequence.len() == 2 && digits(sequence) && section.split('.').all(digits)
}

fn rows(line: &str) -> Vec<Mark> {
    let inside = |rest: &str| Some(rest.split_once(']')?.0.to_owned());
    let candidates = line.split('[').skip(1).filter_map(inside);
    candidates.filter(|id| is_row(id)).map(Mark::Row).collect()
}

fn failures(line: &str) -> Vec<Mark> {
    let mut marks = Vec::new();
    let lower = line.to_lowercase();
    for (position, found) in lower.match_indices("known failure") {
        let rest = lower[position + found.len()..].trim_start_matches('s');
        marks.extend(numbers(rest).into_iter().map(Mark::Failure));
    }
    marks
}

/// ` 1, 10 and 13: why` is 1, 10 and 13.
fn numbers(mut text: &str) -> Vec<u32> {
    let mut numbers = Vec::new();
    while let Some(rest) = text.strip_prefix(' ') {
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let Ok(number) = rest[..end].parse() else {
            break;
        };
        numbers.push(number);
        let after = &rest[end..];
        text = after
            .strip_prefix(',')
            .or_else(|| after.strip_prefix(" and"))
            .unwrap_or("");
    }
    numbers
}

/// Of the Recommendation.
const CHAPTERS: u32 = 13;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_ids_in_brackets() {
        let row = |id: &str| Mark::Row(id.to_owned());
        let line = "/// [6.2-07], [4.4.1.6-23]: why, as in [6-04]";
        assert_eq!(marks(line), [row("6.2-07"), row("4.4.1.6-23"), row("6-04")]);
        let others =
            "[0-9] [0-14] [15-45] [1-109] a[1-2] [`6.2-07`] [x-07] [1.-07] &buf[3..] [RFC 8445]";
        assert_eq!(marks(others), []);
    }

    #[test]
    fn known_failures_are_numbers_after_the_words() {
        let failure = |number| Mark::Failure(number);
        assert_eq!(marks("/// Known failure 9, in 2026."), [failure(9)]);
        assert_eq!(
            marks("// known failures 1, 10 and 13: 5 of them"),
            [failure(1), failure(10), failure(13)]
        );
        assert_eq!(marks("no known failure: 7"), []);
    }
}
