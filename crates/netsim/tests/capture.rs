//! `NETSIM_PCAP`: what was sent stands in a file, which has the name of the test.

use std::{env, fs, process::Command};

use oxirtc_netsim::{Link, Network, epoch, ms};

/// Sends one datagram. The other test runs it with the variable.
#[test]
fn something_is_sent() {
    let mut network = Network::new(1).default_link(Link::new(0).delay(ms(10)));
    for node in 1..3 {
        network.add_node(&[[10, 0, 0, node].into()]);
    }
    let [from, to] = [1, 2].map(|node| ([10, 0, 0, node], 4000).into());
    network.send(epoch(), from, to, b"captured".to_vec());
    assert!(network.receive(epoch() + ms(10)).is_some());
}

#[test]
fn the_variable_makes_a_capture() {
    let directory = env::temp_dir().join(format!("netsim-pcap-{}", std::process::id()));
    let mut test = Command::new(env::current_exe().unwrap());
    test.args(["--exact", "something_is_sent"]);
    let passed = test.env("NETSIM_PCAP", &directory).output().unwrap();
    assert!(passed.status.success());
    let files: Vec<_> = fs::read_dir(&directory).unwrap().collect();
    let [Ok(file)] = &files[..] else {
        panic!("{files:?}");
    };
    let name = file.file_name().into_string().unwrap();
    assert!(name.starts_with("something_is_sent"), "{name}");
    assert!(name.ends_with(".pcap"), "{name}");
    let bytes = fs::read(file.path()).unwrap();
    assert!(bytes.windows(8).any(|it| it == b"captured"));
    fs::remove_dir_all(directory).unwrap();
}
