//! What a file imports, and which paths it names.

/// One name that a `use` brings in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Use {
    /// `pub use`, `pub(crate) use`: it hands the name on.
    pub(super) exported: bool,
    /// The whole path, its last segment included; `*` for a glob.
    pub(super) path: Vec<String>,
    /// The name that it has here.
    pub(super) name: String,
}

/// The imports in bare code.
pub(super) fn uses(code: &str) -> Vec<Use> {
    let mut uses = Vec::new();
    for statement in statements(code) {
        let exported = statement.exported;
        let mut add = |path: Vec<String>, name: String| {
            uses.push(Use {
                exported,
                path,
                name,
            });
        };
        leaves(statement.tree, &[], &mut add);
    }
    uses
}

/// The paths of two segments and more that bare code names outside of its imports. In whose sight an item stands is no use.
pub(super) fn mentions(code: &str) -> Vec<Vec<String>> {
    let mut rest = code.to_owned();
    for statement in statements(code) {
        rest = rest.replacen(statement.tree, "", 1);
    }
    while let Some((before, behind)) = rest.split_once("pub(in ") {
        let behind = behind.split_once(')').map_or("", |(_, behind)| behind);
        rest = format!("{before}pub {behind}");
    }
    let mut mentions = Vec::new();
    let mut path: Vec<String> = Vec::new();
    let mut chars = rest.char_indices().peekable();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut joined = false;
    while let Some((start, c)) = chars.next() {
        if is_word(c) {
            let mut end = start + c.len_utf8();
            while let Some((at, c)) = chars.next_if(|(_, c)| is_word(*c)) {
                end = at + c.len_utf8();
            }
            if !joined {
                finish(&mut path, &mut mentions);
            }
            path.push(rest[start..end].to_owned());
            joined = false;
        } else if c == ':' && chars.next_if(|(_, c)| *c == ':').is_some() {
            joined = !path.is_empty();
        } else {
            finish(&mut path, &mut mentions);
            joined = false;
        }
    }
    finish(&mut path, &mut mentions);
    mentions
}

fn finish(path: &mut Vec<String>, mentions: &mut Vec<Vec<String>>) {
    let path = std::mem::take(path);
    if path.len() > 1 {
        mentions.push(path);
    }
}

struct Statement<'c> {
    exported: bool,
    tree: &'c str,
}

/// The `use` statements: what stands between `use` and the semicolon.
fn statements(code: &str) -> Vec<Statement<'_>> {
    let mut statements = Vec::new();
    let mut offset = 0;
    for line in code.split_inclusive('\n') {
        let begin = offset;
        offset += line.len();
        let text = line.trim_start();
        let mut rest = text;
        let exported = rest.starts_with("pub");
        if exported {
            rest = match rest.strip_prefix("pub(") {
                Some(inside) => inside.split_once(')').map_or("", |(_, rest)| rest),
                None => &rest[3..],
            };
            rest = rest.trim_start();
        }
        if let Some(tree) = rest.strip_prefix("use ") {
            let start = begin + line.len() - tree.len();
            let end = code[start..].find(';').map_or(code.len(), |at| start + at);
            statements.push(Statement {
                exported,
                tree: &code[start..end],
            });
        }
    }
    statements
}

/// The leaves of a tree such as `a::{self, b::C as D}`.
fn leaves(tree: &str, before: &[String], add: &mut impl FnMut(Vec<String>, String)) {
    let tree = tree.trim().trim_start_matches("::");
    if let Some((head, inside)) = tree.split_once('{') {
        let mut prefix = before.to_vec();
        prefix.extend(segments(head));
        let inside = inside.trim_end().strip_suffix('}').unwrap_or(inside);
        for part in parts(inside) {
            leaves(part, &prefix, add);
        }
        return;
    }
    let (path, alias) = match tree.split_once(" as ") {
        Some((path, alias)) => (path, Some(alias.trim().to_owned())),
        None => (tree, None),
    };
    let mut whole = before.to_vec();
    whole.extend(segments(path));
    if whole.len() > 1 && whole.last().is_some_and(|last| last == "self") {
        whole.pop();
    }
    if let Some(last) = whole.last().cloned() {
        add(whole, alias.unwrap_or(last));
    }
}

fn segments(path: &str) -> impl Iterator<Item = String> {
    let segments = path.split("::").map(|segment| segment.trim().to_owned());
    segments.filter(|segment| !segment.is_empty())
}

/// What stands between the commas that are in no braces.
fn parts(list: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (position, byte) in list.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b',' if depth == 0 => {
                parts.push(&list[start..position]);
                start = position + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[start..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brought(code: &str) -> Vec<(String, String)> {
        let brought = uses(code).into_iter();
        brought.map(|it| (it.path.join("::"), it.name)).collect()
    }

    fn pair(path: &str, name: &str) -> (String, String) {
        (path.to_owned(), name.to_owned())
    }

    #[test]
    fn a_tree_of_imports_has_leaves() {
        let code = "use oxirtc_ice as ice;\nuse a::{\n    self, b::{C as D, e},\n    f::*,\n};\n";
        let expected = [
            pair("oxirtc_ice", "ice"),
            pair("a", "a"),
            pair("a::b::C", "D"),
            pair("a::b::e", "e"),
            pair("a::f::*", "*"),
        ];
        assert_eq!(brought(code), expected);
    }

    #[test]
    fn what_is_handed_on_is_known() {
        let code = "pub use a::B;\npub(crate) use c::D;\n    use e::F;\n";
        let exported: Vec<_> = uses(code).iter().map(|it| it.exported).collect();
        assert_eq!(exported, [true, true, false]);
    }

    #[test]
    fn paths_in_code_are_mentions() {
        let code = "use a::B;\nfn f(x: super::C) -> crate::d::E<g::H> { x.i(), j::<K>() }";
        let found: Vec<_> = mentions(code).iter().map(|it| it.join("::")).collect();
        assert_eq!(found, ["super::C", "crate::d::E", "g::H"]);
    }
}
