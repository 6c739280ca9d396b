use std::{io::Read, time::Duration};

use crate::{AnnexBReader, Codec, Error, Frame, IvfReader, OggReader, input::Input, ivf, ogg};

/// Reads a file of any kind that is known, by what its first bytes show.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reader<R> {
    /// VP8, VP9 or AV1.
    Ivf(IvfReader<R>),
    /// Opus.
    Ogg(OggReader<R>),
    /// H.264 or H.265.
    AnnexB(AnnexBReader<R>),
}

impl<R: Read> Reader<R> {
    /// Reads what stands before the first frame.
    ///
    /// # Errors
    ///
    /// The system refuses, the file is of no kind that is known, or its headers are cut short or broken.
    pub fn open(file: R) -> Result<Self, Error> {
        let mut input = Input::new(file);
        let first = input.peek(4)?;
        if first == ivf::MAGIC {
            IvfReader::begin(input).map(Self::Ivf)
        } else if first == ogg::MAGIC {
            OggReader::begin(input).map(Self::Ogg)
        } else if first.starts_with(&[0, 0, 1]) || first.starts_with(&[0, 0, 0]) {
            AnnexBReader::begin(input).map(Self::AnnexB)
        } else {
            Err(Error::Unknown)
        }
    }

    /// What is in it.
    pub fn codec(&self) -> Codec {
        match self {
            Self::Ivf(it) => it.codec(),
            Self::Ogg(_) => Codec::Opus,
            Self::AnnexB(it) => it.codec(),
        }
    }

    /// The time from picture to picture, of files that have no times.
    pub fn set_interval(&mut self, interval: Duration) {
        if let Self::AnnexB(it) = self {
            it.set_interval(interval);
        }
    }

    /// The next frame; `None` at the end.
    ///
    /// # Errors
    ///
    /// The system refuses, or the file is cut short or broken: the error says where.
    pub fn read(&mut self) -> Result<Option<Frame>, Error> {
        match self {
            Self::Ivf(it) => it.read(),
            Self::Ogg(it) => it.read(),
            Self::AnnexB(it) => it.read(),
        }
    }
}
