use url::Url;

use crate::secret::Secret;

/// An identity provider that people may sign in with.
#[derive(Clone, Debug)]
pub struct LoginProvider {
    /// Its name in addresses, as `google` in `/login/google`.
    pub name: String,
    /// Its name on buttons, as `Google`.
    pub label: String,
    /// How it is spoken to.
    pub kind: ProviderKind,
    /// The name it knows this installation by.
    pub client_id: String,
    /// What proves that name; `None` for a client that PKCE alone protects.
    pub client_secret: Option<Secret>,
    /// Whether its assertions let MCP clients in, without asking the person (enterprise-managed
    /// authorization of MCP). Only of OpenID Connect issuers.
    pub takes_assertions: bool,
}

/// How a provider is spoken to.
#[derive(Clone, Debug)]
pub enum ProviderKind {
    /// OpenID Connect; everything else is discovered at the issuer.
    OpenId {
        /// The issuer's address, as `https://accounts.google.com`.
        issuer: String,
    },
    /// GitHub, or an installation of GitHub Enterprise: OAuth 2 without discovery.
    GitHub {
        /// Where people are sent to, as `https://github.com`.
        site: Url,
        /// Where it is asked who they are, as `https://api.github.com`.
        api: Url,
    },
}

/// Who may make an account for themself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SignUp {
    /// Nobody: administrators make accounts.
    #[default]
    Closed,
    /// Whoever is invited to a preset.
    Invited,
    /// Whoever has an address, seen by the provider to be theirs, in one of these domains (in lower
    /// case).
    Domains(Vec<String>),
    /// Everybody whose address the provider has seen to be theirs.
    Open,
}

impl SignUp {
    /// Says whether somebody of this address may make an account by signing in with a provider.
    pub fn admits(&self, email: &str) -> bool {
        match self {
            Self::Closed | Self::Invited => false,
            // What stands behind the last `@`, whole: `example.org.evil.example` is another domain.
            Self::Domains(domains) => {
                email.rsplit_once('@').is_some_and(|(_, domain)| domains.iter().any(|own| own == domain))
            }
            Self::Open => true,
        }
    }

    /// Says whether somebody of this address may make an account by an invitation that is theirs.
    pub fn admits_invited(&self, email: &str) -> bool {
        *self == Self::Invited || self.admits(email)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_compared_whole() {
        let policy = SignUp::Domains(vec!["example.org".to_owned()]);

        assert!(policy.admits("ada@example.org"));
        for stranger in [
            "ada@example.org.evil.example",
            "ada@sub.example.org",
            "ada@notexample.org",
            "ada@example.org@evil.example",
            "example.org",
        ] {
            assert!(!policy.admits(stranger), "{stranger}");
        }
        assert!(SignUp::Open.admits("ada@anywhere.example"));
        assert!(!SignUp::Closed.admits("ada@example.org") && !SignUp::Invited.admits("ada@example.org"));
        assert!(SignUp::Invited.admits_invited("ada@anywhere.example"));
        assert!(policy.admits_invited("ada@example.org") && !policy.admits_invited("ada@anywhere.example"));
        assert!(!SignUp::Closed.admits_invited("ada@example.org"));
    }
}
