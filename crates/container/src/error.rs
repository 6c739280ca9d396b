use std::io;

/// Why a file cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The first bytes are of no kind of file that is known.
    #[error("it is neither IVF nor Ogg nor a byte stream of H.264 or H.265")]
    Unknown,
    /// The file ends in the middle of something.
    #[error("the file ends at byte {at}, in the middle of {what}")]
    Cut {
        /// How many bytes there are.
        at: u64,
        /// What is not whole.
        what: &'static str,
    },
    /// Something is not as its format has it.
    #[error("at byte {at}: {what}")]
    Malformed {
        /// Where it begins.
        at: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// What is to be written cannot stand in such a file.
    #[error("{0}")]
    Unfit(&'static str),
}
