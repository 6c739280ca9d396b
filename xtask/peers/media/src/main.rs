//! SRTP, RTP and RTCP alone, in memory: `peers-media <stack> <row>` does one piece of work with one stack and prints one line of
//! JSON. A stack that has nothing for a row prints no figures.

mod rate;
mod rtp;
mod srtp;

use anyhow::{Result, bail};
use serde_json::json;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["buffers"] => println!("none: all is in memory"),
        [stack, row] => {
            let rate = match srtp::measure(stack, row)? {
                Some(rate) => Some(rate),
                None => rtp::measure(stack, row)?,
            };
            let figures = match rate {
                Some((what, rate)) => json!({ format!("{what}/cpu-s"): rate }),
                None => json!({}),
            };
            println!(
                "{}",
                json!({ "stack": stack, "row": row, "figures": figures })
            );
        }
        _ => bail!("usage: peers-media <oxirtc|rtc|webrtc-srtp> <row>"),
    }
    Ok(())
}
