//! RFC 8265 §4.2: preparation of passwords, realms and hashed usernames.

use zeroize::Zeroizing;

use crate::Error;

/// The OpaqueString of a string, without the step that needs Unicode's composition tables: a caller gives NFC, which is what
/// keyboards and servers give. For ASCII the result is exact.
pub(crate) fn prepare(string: &str) -> Result<Zeroizing<String>, Error> {
    if string.is_empty() || string.chars().any(is_disallowed) {
        return Err(Error::InvalidString);
    }
    let mut prepared = Zeroizing::new(String::with_capacity(string.len()));
    // RFC 8265 §4.2.2: spaces of any other script become U+0020, and nothing else is mapped: no case, no width.
    prepared.extend(
        string
            .chars()
            .map(|c| if is_other_space(c) { ' ' } else { c }),
    );
    Ok(prepared)
}

/// Unicode's category Zs without U+0020.
fn is_other_space(c: char) -> bool {
    matches!(
        c,
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

/// RFC 8264 §8: controls, conjoining Jamo, default-ignorable characters and noncharacters. U+200C and U+200D depend on their
/// neighbours and are let through.
fn is_disallowed(c: char) -> bool {
    let old_hangul_jamo =
        matches!(c, '\u{1100}'..='\u{11ff}' | '\u{a960}'..='\u{a97c}' | '\u{d7b0}'..='\u{d7fb}');
    let ignorable = matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}');
    let noncharacter = matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe;
    let line = matches!(c, '\u{2028}' | '\u{2029}'); // categories Zl and Zp: in no class of RFC 8264 §9
    let private = matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}');
    c.is_control() || old_hangul_jamo || ignorable || noncharacter || line || private
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8265 §4.3, Tables 4 and 5.
    #[test]
    fn examples_of_the_standard() {
        let unchanged = [
            "correct horse battery staple",
            "Correct Horse Battery Staple",
            "πßå",
            "Jack of ♦s",
        ];
        for string in unchanged {
            assert_eq!(prepare(string).expect("valid").as_str(), string);
        }
        assert_eq!(
            prepare("foo\u{1680}bar").expect("valid").as_str(),
            "foo bar"
        );
        assert_eq!(prepare(""), Err(Error::InvalidString));
        assert_eq!(prepare("my cat is a \u{9}by"), Err(Error::InvalidString));
    }

    #[test]
    fn disallowed_characters_are_refused() {
        for c in [
            '\0',
            '\u{7f}',
            '\u{ad}',
            '\u{1100}',
            '\u{2028}',
            '\u{e000}',
            '\u{fffe}',
            '\u{10ffff}',
            '\u{feff}',
        ] {
            assert_eq!(
                prepare(&format!("a{c}b")),
                Err(Error::InvalidString),
                "{c:?}"
            );
        }
    }
}
