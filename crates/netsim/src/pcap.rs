//! A capture file: classic pcap with raw IP packets.

use std::env;
use std::fmt::{self, Debug, Formatter};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use byteorder::{BigEndian, ByteOrder, WriteBytesExt};

use crate::seed;
use crate::time::epoch;

/// Writes datagrams as UDP packets with invented IP headers.
pub(crate) struct Capture {
    writer: Box<dyn Write + Send>,
    /// The first error: nothing is written after it.
    error: Option<io::Error>,
}

impl Capture {
    pub(crate) fn new(mut writer: Box<dyn Write + Send>) -> io::Result<Self> {
        writer.write_u32::<BigEndian>(0xa1b2_c3d4)?; // microseconds
        writer.write_u16::<BigEndian>(2)?;
        writer.write_u16::<BigEndian>(4)?;
        writer.write_u64::<BigEndian>(0)?; // time zone, accuracy
        writer.write_u32::<BigEndian>(u16::MAX.into())?;
        writer.write_u32::<BigEndian>(LINKTYPE_RAW)?;
        Ok(Self {
            writer,
            error: None,
        })
    }

    /// A capture in a file of its own, when the environment names a directory for them.
    ///
    /// # Panics
    /// When the file cannot be written: who asked for captures wants to know.
    pub(crate) fn from_environment() -> Option<Self> {
        let directory = PathBuf::from(env::var_os(VARIABLE)?);
        let file = fs::create_dir_all(&directory).and_then(|()| File::create(file(&directory)));
        match file.and_then(|file| Self::new(Box::new(BufWriter::new(file)))) {
            Ok(capture) => Some(capture),
            Err(error) => panic!("{VARIABLE}={}: {error}", directory.display()),
        }
    }

    /// Writes a datagram; the time is counted from the epoch of simulated time.
    pub(crate) fn record(
        &mut self,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
        payload: &[u8],
    ) {
        if self.error.is_some() {
            return;
        }
        self.error = self.write(now, from, to, payload).err();
    }

    fn write(
        &mut self,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
        payload: &[u8],
    ) -> io::Result<()> {
        let mut packet = Vec::with_capacity(payload.len() + 64);
        write_ip_header(&mut packet, from.ip(), to.ip(), payload.len() + UDP_HEADER)?;
        write_udp(&mut packet, from, to, payload)?;

        let time = now.saturating_duration_since(epoch());
        let len = packet.len() as u32;
        let mut record = Vec::with_capacity(packet.len() + 16);
        for field in [time.as_secs() as u32, time.subsec_micros(), len, len] {
            record.write_u32::<BigEndian>(field)?;
        }
        record.append(&mut packet);
        self.writer.write_all(&record)
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.error.map_or_else(|| self.writer.flush(), Err)
    }
}

/// The name of a capture: the test, the seed if there are many, and a number, as a test may have several networks.
fn file(directory: &Path) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    let test = seed::test_name().unwrap_or_else(|| "netsim".to_owned());
    let seed = seed::current().map_or_else(String::new, |seed| format!(".seed-{seed}"));
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    directory.join(format!("{}{seed}.{number}.pcap", test.replace("::", ".")))
}

/// An IPv4 header without options, or an IPv6 header, for UDP.
fn write_ip_header(out: &mut Vec<u8>, from: IpAddr, to: IpAddr, len: usize) -> io::Result<()> {
    if let (IpAddr::V4(from), IpAddr::V4(to)) = (from, to) {
        let mut header = [0; 20];
        header[0] = 0x45;
        BigEndian::write_u16(&mut header[2..4], len as u16 + 20);
        header[6] = 0x40; // don't fragment
        header[8] = 64;
        header[9] = PROTOCOL_UDP;
        header[12..16].copy_from_slice(&from.octets());
        header[16..20].copy_from_slice(&to.octets());
        let sum = checksum(&header);
        BigEndian::write_u16(&mut header[10..12], sum);
        return out.write_all(&header);
    }
    out.write_u32::<BigEndian>(0x6000_0000)?;
    out.write_u16::<BigEndian>(len as u16)?;
    out.write_all(&[PROTOCOL_UDP, 64])?;
    out.write_all(&octets(from))?;
    out.write_all(&octets(to))
}

fn write_udp(
    out: &mut Vec<u8>,
    from: SocketAddr,
    to: SocketAddr,
    payload: &[u8],
) -> io::Result<()> {
    let len = (payload.len() + UDP_HEADER) as u16;
    let mut header = [0; UDP_HEADER];
    BigEndian::write_u16(&mut header[..2], from.port());
    BigEndian::write_u16(&mut header[2..4], to.port());
    BigEndian::write_u16(&mut header[4..6], len);

    let mut pseudo = Vec::with_capacity(payload.len() + 48);
    pseudo.write_all(&octets(from.ip()))?;
    pseudo.write_all(&octets(to.ip()))?;
    pseudo.write_u32::<BigEndian>(len.into())?;
    pseudo.write_u32::<BigEndian>(PROTOCOL_UDP.into())?;
    pseudo.write_all(&header)?;
    pseudo.write_all(payload)?;
    let sum = match checksum(&pseudo) {
        0 => 0xffff, // zero says that there is none
        sum => sum,
    };
    BigEndian::write_u16(&mut header[6..], sum);
    out.write_all(&header)?;
    out.write_all(payload)
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u64 = 0;
    let (pairs, odd) = bytes.as_chunks::<2>();
    for pair in pairs {
        sum += u64::from(BigEndian::read_u16(pair));
    }
    if let [last] = odd {
        sum += u64::from(*last) << 8;
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

impl Debug for Capture {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture")
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

const VARIABLE: &str = "NETSIM_PCAP";
const LINKTYPE_RAW: u32 = 101;
const PROTOCOL_UDP: u8 = 17;
const UDP_HEADER: usize = 8;

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::{ms, secs};

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut written = self.0.lock().unwrap();
            if written.len() > 200 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            written.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn packets_are_as_they_would_be_on_the_wire() {
        let shared = Shared::default();
        let mut capture = Capture::new(Box::new(shared.clone())).unwrap();
        let now = epoch() + secs(3) + ms(7);
        let (from, to) = ("192.0.2.1:1000", "192.0.2.2:2000");
        capture.record(now, from.parse().unwrap(), to.parse().unwrap(), b"odd");
        let (from, to) = ("[2001:db8::1]:1000", "[2001:db8::2]:2000");
        capture.record(now, from.parse().unwrap(), to.parse().unwrap(), b"even");
        capture.finish().unwrap();

        let file = shared.0.lock().unwrap().clone();
        assert_eq!(file.len(), 24 + (16 + 20 + 8 + 3) + (16 + 40 + 8 + 4));
        assert_eq!(file[..4], [0xa1, 0xb2, 0xc3, 0xd4]);
        assert_eq!(file[20..24], [0, 0, 0, 101]);
        assert_eq!(file[24..32], [0, 0, 0, 3, 0, 0, 0x1b, 0x58]);
        assert_eq!(file[32..40], [0, 0, 0, 31, 0, 0, 0, 31]);
        let ip = &file[40..71];
        assert_eq!(ip[..4], [0x45, 0, 0, 31]);
        assert_eq!(checksum(&ip[..20]), 0, "the sum over a header is zero");
        assert_eq!(ip[20..26], [0x03, 0xe8, 0x07, 0xd0, 0, 11]);
        let mut pseudo = ip[12..20].to_vec();
        pseudo.extend([0, 0, 0, 11, 0, 0, 0, 17]);
        pseudo.extend(&ip[20..]);
        assert_eq!(checksum(&pseudo), 0);
        let ip = &file[71 + 16..];
        assert_eq!(ip[..8], [0x60, 0, 0, 0, 0, 12, 17, 64]);
        assert_eq!(ip[48..], *b"even");
    }

    #[test]
    fn a_capture_is_named_after_the_test() {
        let path = file(Path::new("captures"));
        let path = path.to_str().unwrap();
        assert!(
            path.starts_with("captures/pcap.tests.a_capture_is_named_after_the_test."),
            "{path}"
        );
        seed::for_each_seed(1, |seed| {
            let path = file(Path::new(""));
            assert!(path.to_str().unwrap().contains(&format!(".seed-{seed}.")));
        });
    }

    #[test]
    fn the_first_error_is_told_at_the_end() {
        let mut capture = Capture::new(Box::new(Shared::default())).unwrap();
        let address = "192.0.2.1:1000".parse().unwrap();
        for _ in 0..3 {
            capture.record(epoch(), address, address, &[0; 200]);
        }
        let error = capture.finish().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
