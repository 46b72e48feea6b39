//! What is sealed into `requestState`.

use crate::proxy::park::Handle;

/// How a modern caller's next request finds back to what it goes on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// To the same modern source, with the state it gave: a JSON string as the source wrote it.
    Relayed(Option<String>),
    /// To a call that waits.
    Parked(Handle),
}

impl State {
    pub(super) fn fields(&self) -> Vec<&[u8]> {
        match self {
            Self::Relayed(None) => vec![b"relayed"],
            Self::Relayed(Some(state)) => vec![b"relayed", state.as_bytes()],
            Self::Parked(handle) => vec![b"parked", handle],
        }
    }

    /// Reads it back; `None` if another version of this program wrote it in another form.
    pub(super) fn read(fields: &[Vec<u8>]) -> Option<Self> {
        let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
        match fields.as_slice() {
            [b"relayed"] => Some(Self::Relayed(None)),
            [b"relayed", state] => Some(Self::Relayed(Some(String::from_utf8(state.to_vec()).ok()?))),
            [b"parked", handle] => Some(Self::Parked((*handle).try_into().ok()?)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_reads_back() {
        for state in [State::Relayed(None), State::Relayed(Some("\"x\"".to_owned())), State::Parked([7; 16])]
        {
            let fields: Vec<Vec<u8>> = state.fields().iter().map(|field| field.to_vec()).collect();
            assert_eq!(State::read(&fields), Some(state));
        }
        assert_eq!(State::read(&[]), None);
        assert_eq!(State::read(&[b"parked".to_vec(), b"short".to_vec()]), None);
    }
}
