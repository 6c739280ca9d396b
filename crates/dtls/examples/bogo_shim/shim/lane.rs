//! What goes over TCP between the runner and a shim: datagrams, and words about time and room.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

/// The stream to the runner.
pub(crate) struct Lane(TcpStream);

/// What the runner says.
pub(crate) enum Said {
    /// `P`
    Datagram(Vec<u8>),
    /// `T`: so much time has passed.
    Timeout(Duration),
    /// `M`: a datagram may have so many bytes.
    Room(usize),
    /// `E`: when the next timeout is to be, if there is one.
    ExpectTimeout(Option<Duration>),
    /// `U`: the first timeout is to be this one.
    FirstTimeout(Duration),
    /// It has closed the stream.
    End,
}

impl Lane {
    /// Says no more, and hears the runner out: what was said last is lost to it where the stream ends
    /// with something unread.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Write)?;
        self.0.set_read_timeout(Some(PATIENCE))?;
        io::copy(&mut self.0, &mut io::sink()).map(drop)
    }

    /// Connects on loopback and says which shim this is.
    pub(crate) fn connect(ipv6: bool, port: u16, shim_id: u64) -> io::Result<Self> {
        let address: SocketAddr = match ipv6 {
            true => (Ipv6Addr::LOCALHOST, port).into(),
            false => (Ipv4Addr::LOCALHOST, port).into(),
        };
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.write_all(&shim_id.to_le_bytes())?;
        Ok(Self(stream))
    }

    pub(crate) fn say(&mut self, datagram: &[u8]) -> io::Result<()> {
        let length = u32::try_from(datagram.len()).map_err(io::Error::other)?;
        let framed = [b"P", &length.to_be_bytes()[..], datagram].concat();
        self.0.write_all(&framed)
    }

    pub(crate) fn acknowledge_timeout(&mut self) -> io::Result<()> {
        self.0.write_all(b"t")
    }

    pub(crate) fn hear(&mut self) -> io::Result<Said> {
        let mut code = [0];
        match self.0.read_exact(&mut code) {
            Ok(()) => {}
            Err(error) if ENDS.contains(&error.kind()) => return Ok(Said::End),
            Err(error) => return Err(error),
        }
        let nanoseconds = |lane: &mut Self| Ok::<_, io::Error>(u64::from_be_bytes(lane.read()?));
        Ok(match code {
            [b'P'] => {
                let length = u32::from_be_bytes(self.read()?) as usize;
                if length > LARGEST {
                    return Err(io::Error::other("no datagram is so large"));
                }
                let mut datagram = vec![0; length];
                self.0.read_exact(&mut datagram)?;
                Said::Datagram(datagram)
            }
            [b'T'] => Said::Timeout(Duration::from_nanos(nanoseconds(self)?)),
            [b'M'] => Said::Room(u32::from_be_bytes(self.read()?) as usize),
            [b'E'] => Said::ExpectTimeout(match nanoseconds(self)? {
                u64::MAX => None,
                wait => Some(Duration::from_nanos(wait)),
            }),
            [b'U'] => {
                let milliseconds = u32::from_be_bytes(self.read()?);
                Said::FirstTimeout(Duration::from_millis(milliseconds.into()))
            }
            [other] => return Err(io::Error::other(format!("what is «{other}»?"))),
        })
    }

    fn read<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

/// A runner that has what it wants closes without a word.
const ENDS: [ErrorKind; 2] = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset];
const LARGEST: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(2);
