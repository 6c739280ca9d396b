//! Answers for peers that look for the transport in each section.

/// The description with what its first section says of the transport in each section that lives.
///
/// RFC 9143 §7.1.3 has it once, in the tagged section of the bundle; `webrtcbin` of GStreamer 1.22 takes no such answer, and browsers
/// write it into each section themselves.
pub(crate) fn repeated(sdp: &str) -> String {
    let sections = || sdp.split_inclusive('\n');
    let is_of_transport = |line: &&str| TRANSPORT.iter().any(|name| line.starts_with(name));
    let tagged: Vec<&str> = sections()
        .skip_while(|line| !line.starts_with("m="))
        .enumerate()
        .take_while(|(at, line)| *at == 0 || !line.starts_with("m="))
        .map(|(_, line)| line)
        .filter(is_of_transport)
        .collect();
    let mut whole = String::with_capacity(sdp.len() * 2);
    let (mut count, mut lives, mut says) = (0, false, false);
    let end = |whole: &mut String, lives: bool, says: bool| {
        if lives && !says {
            whole.extend(tagged.iter().copied());
        }
    };
    for line in sections() {
        if line.starts_with("m=") {
            end(&mut whole, lives, says);
            count += 1;
            // RFC 8866 §5.14: a section with port 0 is rejected.
            lives = count > 1 && line.split(' ').nth(1) != Some("0");
            says = false;
        }
        says |= is_of_transport(&line);
        whole.push_str(line);
    }
    end(&mut whole, lives, says);
    whole
}

const TRANSPORT: [&str; 5] = [
    "a=ice-ufrag:",
    "a=ice-pwd:",
    "a=ice-options:",
    "a=fingerprint:",
    "a=setup:",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_living_section_says_what_the_first_says() {
        let transport = "a=ice-ufrag:aa\r\na=ice-pwd:bb\r\na=ice-options:trickle\r\na=fingerprint:sha-256 00\r\na=setup:active\r\n";
        let audio = "m=audio 9 X 0\r\na=mid:0\r\n";
        let (rejected, video) = (
            "m=video 0 X 0\r\na=mid:1\r\n",
            "m=video 9 X 0\r\na=mid:2\r\n",
        );
        let own = "m=audio 9 X 0\r\na=ice-ufrag:cc\r\n";
        let head = "v=0\r\na=group:BUNDLE 0 2\r\n";
        let candidate = "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n";
        let sdp = format!("{head}{audio}{transport}{candidate}{rejected}{video}{own}");
        let expected =
            format!("{head}{audio}{transport}{candidate}{rejected}{video}{transport}{own}");
        assert_eq!(repeated(&sdp), expected);
        assert_eq!(repeated(&expected), expected);
        assert_eq!(repeated(head), head);
    }
}
