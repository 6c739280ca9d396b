use crate::message::{
    codec::{Malformed, Reader, write_u16, write_vector},
    extension::{Extensions, KEY_SHARE},
};

/// One half of a key agreement in 1.3 (RFC 8446 §4.2.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyShareEntry<'a> {
    /// The group, by number.
    pub group: u16,
    /// What the group exchanges.
    pub exchange: &'a [u8],
}

impl<'a> KeyShareEntry<'a> {
    fn parse(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let group = reader.u16()?;
        match reader.vector16()? {
            [] => Err(Malformed),
            exchange => Ok(Self { group, exchange }),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        write_u16(self.group, out);
        write_vector::<2>(out, |out| out.extend(self.exchange));
    }
}

/// `key_share` has another form in each hello.
impl Extensions<'_> {
    /// The client's shares, in a ClientHello; there may be none.
    pub fn client_shares(&self) -> Result<Option<Vec<KeyShareEntry<'_>>>, Malformed> {
        let Some(body) = self.get(KEY_SHARE) else {
            return Ok(None);
        };
        let mut reader = Reader::new(body);
        let mut list = Reader::new(reader.vector16()?);
        reader.finish()?;
        let mut shares = Vec::new();
        while !list.is_empty() {
            shares.push(KeyShareEntry::parse(&mut list)?);
        }
        Ok(Some(shares))
    }

    /// The server's share, in a ServerHello.
    pub fn server_share(&self) -> Result<Option<KeyShareEntry<'_>>, Malformed> {
        let Some(body) = self.get(KEY_SHARE) else {
            return Ok(None);
        };
        let mut reader = Reader::new(body);
        let share = KeyShareEntry::parse(&mut reader)?;
        reader.finish()?;
        Ok(Some(share))
    }

    /// The group that a share is wanted for, in a HelloRetryRequest.
    pub fn wanted_group(&self) -> Result<Option<u16>, Malformed> {
        let Some(body) = self.get(KEY_SHARE) else {
            return Ok(None);
        };
        let mut reader = Reader::new(body);
        let group = reader.u16()?;
        reader.finish()?;
        Ok(Some(group))
    }

    /// Appends the group that a share is wanted for, to a HelloRetryRequest.
    pub fn push_wanted_group(&mut self, group: u16) {
        let mut body = Vec::with_capacity(2);
        write_u16(group, &mut body);
        self.push(KEY_SHARE, body);
    }

    /// Appends the client's shares.
    pub fn push_client_shares(&mut self, shares: &[KeyShareEntry<'_>]) {
        let mut body = Vec::new();
        write_vector::<2>(&mut body, |out| {
            shares.iter().for_each(|share| share.write(out));
        });
        self.push(KEY_SHARE, body);
    }

    /// Appends the server's share.
    pub fn push_server_share(&mut self, share: KeyShareEntry<'_>) {
        let mut body = Vec::new();
        share.write(&mut body);
        self.push(KEY_SHARE, body);
    }
}
