//! What Doorward hands to a caller and gets back: cursors, `requestState`, ids of tasks. This is the
//! plain text of it.
//!
//! Sealing is not done here: who seals binds principal and preset, so that what one caller was given
//! is worth nothing to another. Never trust what is read here before it was unsealed.

use thiserror::Error;

/// The most fields.
pub const FIELDS_MAX: usize = 8;

/// The most bytes of all fields together. A source's own state is the largest of them.
pub const BYTES_MAX: usize = 64 << 10;

const VERSION: u8 = 1;
const HEAD_BYTES: usize = 10;

/// What it was made for: a cursor is no task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A place in a list.
    Cursor,
    /// A round of questions.
    RequestState,
    /// A task at a source.
    Task,
    /// A legacy session, or an event in one.
    Session,
}

impl Purpose {
    const ALL: [Self; 4] = [Self::Cursor, Self::RequestState, Self::Task, Self::Session];

    fn byte(self) -> u8 {
        match self {
            Self::Cursor => 1,
            Self::RequestState => 2,
            Self::Task => 3,
            Self::Session => 4,
        }
    }
}

/// Says why bytes are not what Doorward handed out.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SealedError {
    /// They were never written by this codec.
    #[error("it was not handed out here")]
    Malformed,
    /// They were handed out for something else.
    #[error("it was handed out for something else")]
    Purpose,
    /// They are too old.
    #[error("it has expired")]
    Expired,
    /// They would be larger than [`BYTES_MAX`], or have more than [`FIELDS_MAX`] fields.
    #[error("it is too large")]
    TooLarge,
}

/// Writes fields that come back when the caller comes back. `expires_at_ms` is in milliseconds since
/// 1970.
pub fn write(purpose: Purpose, expires_at_ms: u64, fields: &[&[u8]]) -> Result<Vec<u8>, SealedError> {
    let bytes: usize = fields.iter().map(|field| field.len()).sum();
    if bytes > BYTES_MAX || fields.len() > FIELDS_MAX {
        return Err(SealedError::TooLarge);
    }
    let mut out = Vec::with_capacity(HEAD_BYTES + bytes + 4 * fields.len());
    out.push(VERSION);
    out.push(purpose.byte());
    out.extend_from_slice(&expires_at_ms.to_be_bytes());
    for field in fields {
        let length = u32::try_from(field.len()).map_err(|_| SealedError::TooLarge)?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(field);
    }
    Ok(out)
}

/// Reads what was written for this purpose and has not expired at `now_ms`.
pub fn read(bytes: &[u8], purpose: Purpose, now_ms: u64) -> Result<Vec<&[u8]>, SealedError> {
    let (head, mut rest) = bytes.split_at_checked(HEAD_BYTES).ok_or(SealedError::Malformed)?;
    if head[0] != VERSION || !Purpose::ALL.iter().any(|known| known.byte() == head[1]) {
        return Err(SealedError::Malformed);
    }
    if head[1] != purpose.byte() {
        return Err(SealedError::Purpose);
    }
    let expires_at_ms = head[2..].try_into().map(u64::from_be_bytes).map_err(|_| SealedError::Malformed)?;
    let mut fields = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| SealedError::Malformed)?;
        let (field, after) = after.split_at_checked(length).ok_or(SealedError::Malformed)?;
        if fields.len() == FIELDS_MAX {
            return Err(SealedError::Malformed);
        }
        fields.push(field);
        rest = after;
    }
    if !rest.is_empty() {
        return Err(SealedError::Malformed);
    }
    if now_ms >= expires_at_ms {
        return Err(SealedError::Expired);
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_out_comes_back() {
        let fields: [&[u8]; 3] = [b"source", b"", &[0, 255]];

        let bytes = write(Purpose::Cursor, 100, &fields).expect("small");

        assert_eq!(read(&bytes, Purpose::Cursor, 99), Ok(fields.to_vec()));
        assert_eq!(read(&bytes, Purpose::Cursor, 100), Err(SealedError::Expired));
        assert_eq!(read(&bytes, Purpose::Task, 0), Err(SealedError::Purpose));
        let empty = write(Purpose::Task, 1, &[]).expect("small");
        assert_eq!(read(&empty, Purpose::Task, 0), Ok(Vec::new()));
    }

    #[test]
    fn half_of_it_is_nothing() {
        let bytes = write(Purpose::RequestState, 100, &[b"abc", b"d"]).expect("small");
        // A cut between two fields leaves fewer of them, which whoever reads them notices.
        let between = HEAD_BYTES + 4 + 3;
        for end in (0..bytes.len()).filter(|end| ![HEAD_BYTES, between].contains(end)) {
            assert_eq!(
                read(&bytes[..end], Purpose::RequestState, 0),
                Err(SealedError::Malformed),
                "cut at {end}"
            );
        }
        let mut other = bytes.clone();
        other[0] = 9;
        assert_eq!(read(&other, Purpose::RequestState, 0), Err(SealedError::Malformed));
    }

    #[test]
    fn it_has_a_bound() {
        let large = vec![0; BYTES_MAX + 1];
        assert_eq!(write(Purpose::Cursor, 1, &[&large]), Err(SealedError::TooLarge));
        assert_eq!(write(Purpose::Cursor, 1, &[b"" as &[u8]; FIELDS_MAX + 1]), Err(SealedError::TooLarge));
    }
}
