//! Functions that are broken when they are told to: what a patch makes of their bodies stands beside the bodies as they are, and a variable
//! of the environment chooses. So many patches are built at once, and each is still seen alone.

/// The variable that names the patch in force.
pub(super) const VARIABLE: &str = "OXIRTC_BROKEN";

/// A file, and what patches make of it.
#[derive(Debug)]
pub(super) struct Switched {
    lines: Vec<String>,
    functions: Vec<Function>,
}

/// A function that stands in no other, in a file that rustfmt has been over.
#[derive(Debug)]
struct Function {
    /// The places of the lines of its body, without those that have its braces.
    body: std::ops::Range<usize>,
    /// Whether its value has one type, and is not computed when it is built.
    can_choose: bool,
    /// Bodies by the names of their patches.
    others: Vec<(String, Vec<String>)>,
}

impl Switched {
    pub(super) fn new(text: &str) -> Self {
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        let functions = functions(&lines);
        Self { lines, functions }
    }

    /// Whether a patch that makes `text` of the file changes the bodies of functions only.
    pub(super) fn can_take(&self, text: &str) -> bool {
        let other = Self::new(text);
        let outside = |of: &Self| -> Vec<String> {
            let inside = |at| of.functions.iter().any(|it| it.body.contains(&at));
            let lines = of.lines.iter().enumerate();
            lines
                .filter(|(at, _)| !inside(*at))
                .map(|(_, line)| line.clone())
                .collect()
        };
        let mut pairs = self.functions.iter().zip(&other.functions);
        outside(self) == outside(&other)
            && pairs.all(|(it, of)| it.can_choose || self.body(it) == other.body(of))
    }

    /// Takes in what a patch makes of the file.
    pub(super) fn take(&mut self, name: &str, text: &str) {
        let other = Self::new(text);
        for at in 0..self.functions.len().min(other.functions.len()) {
            let body = other.body(&other.functions[at]);
            if self.body(&self.functions[at]) != body {
                let body = body.to_vec();
                self.functions[at].others.push((name.to_owned(), body));
            }
        }
    }

    /// The file with all that was taken in.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut written = 0;
        let add = |text: &mut String, lines: &[String]| {
            for line in lines {
                text.push_str(line);
                text.push('\n');
            }
        };
        for it in &self.functions {
            add(&mut text, &self.lines[written..it.body.start]);
            for (name, body) in &it.others {
                text.push_str(&format!(
                    "if ::std::env::var_os(\"{VARIABLE}\").is_some_and(|it| it == \"{name}\") {{\n"
                ));
                add(&mut text, body);
                text.push_str("} else ");
            }
            let is_chosen = !it.others.is_empty();
            text.push_str(if is_chosen { "{\n" } else { "" });
            add(&mut text, self.body(it));
            text.push_str(if is_chosen { "}\n" } else { "" });
            written = it.body.end;
        }
        add(&mut text, &self.lines[written..]);
        text
    }

    fn body(&self, of: &Function) -> &[String] {
        &self.lines[of.body.clone()]
    }
}

fn functions(lines: &[String]) -> Vec<Function> {
    let mut functions = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let head = at;
        at += 1;
        if !begins(&lines[head]) {
            continue;
        }
        let ends = |line: &String| line.ends_with(['{', ';', '}']);
        let Some(open) = (head..lines.len()).find(|it| ends(&lines[*it])) else {
            break;
        };
        let indent = lines[head].len() - lines[head].trim_start().len();
        let end = format!("{}}}", " ".repeat(indent));
        if !lines[open].ends_with('{') {
            continue;
        }
        let Some(close) = (open..lines.len()).find(|it| lines[*it] == end) else {
            break;
        };
        let signature = lines[head..=open].concat();
        functions.push(Function {
            body: open + 1..close,
            can_choose: !signature.contains("-> impl ") && !signature.contains("const fn "),
            others: Vec::new(),
        });
        at = close + 1;
    }
    functions
}

fn begins(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let modifier = |word: &&str| word.starts_with("pub") || ["async", "const", "in"].contains(word);
    let place = |word: &&str| word.ends_with(')') && word.contains("::");
    words.find(|word| !modifier(word) && !place(word)) == Some("fn")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "const A: u8 = 1;\nimpl B {\n    pub(in crate::x) fn one(&self) -> u8 {\n        1\n    }\n\n    fn two(\n        &self,\n    ) -> u8 {\n        if A == 1 {\n            2\n        } else {\n            3\n        }\n    }\n\n    fn none(&self) {}\n    fn some(&self) -> impl Iterator<Item = u8> {\n        [1].into_iter()\n    }\n}\n";

    #[test]
    fn bodies_stand_beside_each_other() {
        let mut switched = Switched::new(FILE);
        assert_eq!(switched.text(), FILE);
        let first = FILE.replace("        1\n", "        let one = 7;\n        one\n");
        let second = FILE.replace("            3\n", "            4\n");
        for (name, text) in [("x", &first), ("y", &second), ("z", &first)] {
            assert!(switched.can_take(text), "{name}");
            switched.take(name, text);
        }
        let text = switched.text();
        let choice = |name| {
            format!("if ::std::env::var_os(\"{VARIABLE}\").is_some_and(|it| it == \"{name}\") {{\n")
        };
        let of_one = format!(
            "-> u8 {{\n{}        let one = 7;\n        one\n}} else {}        let one = 7;\n        one\n}} else {{\n        1\n}}\n    }}\n",
            choice("x"),
            choice("z")
        );
        assert!(text.contains(&of_one), "{text}");
        assert!(text.contains(&choice("y")) && text.contains("            4\n"));
    }

    #[test]
    fn what_is_no_body_of_a_function_cannot_be_chosen() {
        let switched = Switched::new(FILE);
        let changes = [
            ("A: u8 = 1;", "A: u8 = 2;"),
            ("fn two(", "fn three("),
            ("[1].into_iter()", "[2].into_iter()"),
            (
                "fn none(&self) {}",
                "fn none(&self) {\n        todo();\n    }",
            ),
        ];
        for (from, to) in changes {
            assert!(!switched.can_take(&FILE.replace(from, to)), "{to}");
        }
    }
}
