//! Browser sessions. The cookie is here as its SHA-256 only.

use crate::{
    clock::Ms,
    model::{BrowserSession, BrowserSessionId, Member, UserId},
    store::{Result, Store, SystemTx},
};

impl Store {
    /// Finds the session of a cookie and the person behind it. `None` if it was revoked, ended
    /// before `now`, or the account is switched off. One round trip, no transaction.
    pub async fn find_browser_session(
        &self,
        token_hash: &[u8; 32],
        now: Ms,
    ) -> Result<Option<(BrowserSession, Member)>> {
        let _ = (token_hash, now);
        todo!()
    }
}

impl SystemTx {
    /// Adds a session.
    pub async fn add_browser_session(
        &mut self,
        session: &BrowserSession,
        token_hash: &[u8; 32],
    ) -> Result<()> {
        let _ = (session, token_hash);
        todo!()
    }

    /// Notes when sessions were last seen.
    pub async fn touch_browser_sessions(&mut self, seen: &[(BrowserSessionId, Ms)]) -> Result<()> {
        let _ = seen;
        todo!()
    }

    /// Returns a person's sessions that have not ended, the last seen first.
    pub async fn list_browser_sessions(&mut self, user: UserId, now: Ms) -> Result<Vec<BrowserSession>> {
        let _ = (user, now);
        todo!()
    }

    /// Ends a session of that person; `false` if there is none of that id.
    pub async fn revoke_browser_session(&mut self, user: UserId, id: BrowserSessionId) -> Result<bool> {
        let _ = (user, id);
        todo!()
    }

    /// Ends a person's sessions, all but one if `keep` says so. Returns the ids of those ended.
    pub async fn revoke_browser_sessions(
        &mut self,
        user: UserId,
        keep: Option<BrowserSessionId>,
    ) -> Result<Vec<BrowserSessionId>> {
        let _ = (user, keep);
        todo!()
    }

    /// Removes sessions that ended before `now`, at most `limit`. Returns how many.
    pub async fn remove_ended_browser_sessions(&mut self, now: Ms, limit: i64) -> Result<u64> {
        let _ = (now, limit);
        todo!()
    }
}
