//! The program as a user starts it: page, headers, refusals, endings.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its program's output has failed"
)]

mod serving;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ExitStatus};
use std::thread::sleep;
use std::time::Duration;

use serving::{Serving, interrupt, oxirtc};

impl Serving {
    fn request(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let request = request.replace("HOST", &self.address.to_string());
        stream
            .write_all(request.replace('\n', "\r\n").as_bytes())
            .unwrap();
        stream
            .set_read_timeout(Some(Duration::from_millis(1500)))
            .unwrap();
        let mut answer = Vec::new();
        // To the end, or to silence on a connection that stays open.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }

    fn get(&self, path: &str, host: &str) -> String {
        self.request(&format!(
            "GET {path} HTTP/1.1\nHost: {host}\nConnection: close\n\n"
        ))
    }
}

/// How the program ends after Ctrl-C.
fn interrupted(program: &mut Child) -> ExitStatus {
    interrupt(program);
    for _ in 0..500 {
        if let Some(status) = program.try_wait().unwrap() {
            return status;
        }
        sleep(Duration::from_millis(10));
    }
    program.kill().unwrap();
    panic!("Ctrl-C did not end the program in 5 s");
}

#[test]
fn the_page_and_its_files_come_with_their_headers() {
    let serving = Serving::start(&[]);
    let files = [
        ("/", "text/html", "<h1>oxirtc</h1>"),
        ("/page.css", "text/css", ":root"),
        ("/page.js", "text/javascript", "import"),
        ("/sha256.js", "text/javascript", "class Sha256"),
        ("/icon.svg", "image/svg+xml", "<svg"),
    ];
    for (path, kind, part) in files {
        let answer = serving.get(path, "HOST");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let head = head.to_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{path}: {head}");
        assert!(
            head.contains(&format!("content-type: {kind}")),
            "{path}: {head}"
        );
        assert!(
            head.contains("content-security-policy: default-src 'none'; script-src 'self'"),
            "{path}: {head}"
        );
        assert!(
            head.contains("x-content-type-options: nosniff"),
            "{path}: {head}"
        );
        assert!(body.contains(part), "{path}");
    }
    assert!(serving.get("/nothing", "HOST").starts_with("HTTP/1.1 404"));
}

#[test]
fn another_host_and_another_origin_are_refused() {
    let serving = Serving::start(&[]);
    let rebound = serving.get("/", "rebound.example");
    assert!(rebound.starts_with("HTTP/1.1 421"), "{rebound}");
    let upgrade = |origin: &str| {
        serving.request(&format!(
            "GET /signal HTTP/1.1\nHost: HOST\nOrigin: {origin}\nConnection: Upgrade\nUpgrade: websocket\n\
             Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n\n"
        ))
    };
    assert!(upgrade("http://rebound.example").starts_with("HTTP/1.1 403"));
}

/// A server on all addresses says where this machine finds it, and where others do.
#[test]
fn the_addresses_that_others_can_open_are_printed() {
    let mut program = oxirtc(&["serve", "--listen", "0.0.0.0:0"]);
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    let own = first.strip_prefix("oxirtc serves http://127.0.0.1:");
    let port = own
        .and_then(|it| it.split('/').next())
        .unwrap_or_else(|| panic!("{first}"));
    let mut others = Vec::new();
    for found in if_addrs::get_if_addrs().unwrap() {
        let (name, address) = (&found.name, found.ip());
        let is_other = address.is_ipv4() && !found.is_loopback() && !found.is_link_local();
        if is_other && found.is_oper_up() {
            others.push(format!("on the network ({name}): http://{address}:{port}/"));
        }
    }
    for other in &others {
        let address = other.split('/').nth(2).unwrap();
        assert!(TcpStream::connect(address).is_ok(), "{other}");
    }
    assert!(interrupted(&mut program).success());
    let printed: Vec<_> = lines.map(Result::unwrap).collect();
    assert_eq!(printed[..printed.len() - 1], others);
}

#[test]
fn a_taken_port_is_one_line_that_names_another() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = oxirtc(&["serve", "--listen", &address])
        .wait_with_output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.contains("is taken") && said.contains("--listen 127.0.0.1:"),
        "{said}"
    );
}

#[test]
fn wrong_arguments_have_a_status_of_their_own() {
    for arguments in [
        &["serve", "--listen", "nowhere"][..],
        &["loopback", "--seconds", "-1"],
        &[],
    ] {
        let output = oxirtc(arguments).wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn ctrl_c_ends_serving_well() {
    let mut serving = Serving::start(&[]);
    // A connection that is open and silent does not hold it up.
    let _idle = TcpStream::connect(serving.address).unwrap();
    assert!(interrupted(&mut serving.program).success());
}

#[test]
fn loopback_moves_every_size_and_ends() {
    let output = oxirtc(&["loopback", "--seconds", "0.05"])
        .wait_with_output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let table = String::from_utf8(output.stdout).unwrap();
    for row in [
        "connected in",
        "100 B, reliable",
        "16 KiB",
        "64 KiB",
        "256 KiB",
        "not resent",
        "median",
    ] {
        assert!(table.contains(row), "no {row:?} in {table}");
    }
}

#[test]
fn ctrl_c_ends_loopback_at_once() {
    let mut program = oxirtc(&["loopback", "--seconds", "60"]);
    let output = program.stdout.take().unwrap();
    let mut lines = BufReader::new(output).lines();
    while !lines.next().unwrap().unwrap().starts_with("messages") {}
    assert_eq!(interrupted(&mut program).code(), Some(130));
}

#[test]
fn gather_prints_candidates_and_errors() {
    let servers = ["--server", "stun:nothing.invalid"];
    let program = oxirtc(&["gather", servers[0], servers[1]]);
    let output = program.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let has = |word: &str| text.lines().any(|line| line.contains(word));
    assert!(
        has(" host ") && has("701") && has("stun:nothing.invalid"),
        "{text}"
    );
    assert!(text.trim_end().ends_with("done"), "{text}");
    let program = oxirtc(&["gather", "--server", "turn:nothing.invalid"]);
    let output = program.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("needs a username"), "{text}");
}
