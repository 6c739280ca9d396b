//! Every example of the facade is run: it ends by itself, in time, and well. (Those of the layers are peers for programs of
//! others, and want an address.)

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::run;

/// [9.3.1-03] The call flows of W3C's chapter 10 are among them.
pub(crate) fn run() -> Result<()> {
    let build = ["build", "-p", "oxirtc-peerconnection", "--examples"];
    run::check(run::cargo().args(build))?;
    let built = run::output(run::cargo().args(build).arg("--message-format=json"))?;
    let examples = executables(&built);
    let absent = absent(&examples);
    ensure!(absent.is_empty(), "no example shows {}", absent.join(", "));
    for example in &examples {
        run::check_within(LIMIT, Command::new(example).current_dir(run::root()))?;
    }
    println!("{} examples passed, 0 failed", examples.len());
    Ok(())
}

/// The examples among what cargo says that it built.
fn executables(messages: &str) -> Vec<PathBuf> {
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let executable = |message: Value| {
        let kinds = message["target"]["kind"].as_array()?;
        let is_example = kinds.iter().any(|kind| kind == "example");
        is_example.then(|| message["executable"].as_str().map(PathBuf::from))?
    };
    messages.filter_map(executable).collect()
}

/// The flows of W3C's chapter 10 that none of these programs is.
fn absent(examples: &[PathBuf]) -> Vec<&'static str> {
    let is = |name: &str| {
        examples
            .iter()
            .any(|it| it.file_name() == Some(name.as_ref()))
    };
    FLOWS.into_iter().filter(|name| !is(name)).collect()
}

const FLOWS: [&str; 7] = [
    "call",
    "warm_up",
    "simulcast",
    "data",
    "call_flow",
    "dtmf",
    "perfect_negotiation",
];
const LIMIT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_without_an_example_is_told() {
        let all = FLOWS.map(|name| PathBuf::from("/t/examples").join(name));
        assert!(absent(&all).is_empty());
        assert_eq!(absent(&all[1..]), ["call"]);
    }

    #[test]
    fn examples_are_found_among_what_was_built() {
        let messages = r#"{"reason":"compiler-artifact","target":{"kind":["lib"]},"executable":null}
{"reason":"compiler-artifact","target":{"kind":["example"]},"executable":"/t/debug/examples/hello"}
{"reason":"compiler-artifact","target":{"kind":["bin"]},"executable":"/t/debug/oxirtc"}
{"reason":"build-finished","success":true}
"#;
        assert_eq!(
            executables(messages),
            [PathBuf::from("/t/debug/examples/hello")]
        );
    }
}
