mod attacks;
mod authority;
mod renewing;
mod signing_in;

use std::time::Duration;

use authority::Authority;
use bytes::Bytes;

use super::{ConnectionError, Connections};
use crate::{
    mcp::Capabilities,
    model::{
        Auth, Connection, ConnectionId, ConnectionState, Credential, EraSetting, Member, OauthClient, Reach,
        RunsAs, SourceId, SourceName, UserId,
    },
    sources::{NewSource, SourceChange, SourceError, tests::world::World},
    upstream::{Call, ReplyBody, UpstreamError},
};

/// A source that wants to be signed in to, of Ada, who has signed in to nothing yet.
struct Scene {
    world: World,
    authority: Authority,
    ada: Member,
    source: SourceId,
    connection: ConnectionId,
}

impl Scene {
    async fn open() -> Self {
        Self::with(OauthClient::default(), RunsAs::Owner).await
    }

    async fn with(client: OauthClient, runs_as: RunsAs) -> Self {
        let (world, authority) = (World::new().await, Authority::start().await);
        let ada = world.person("ada").await;
        let new = NewSource {
            tunnel: None,
            ca_certificates: None,
            name: SourceName::parse("guarded").unwrap(),
            reach: Reach::McpHttp { url: authority.url() },
            credential: Credential { auth: Auth::Oauth(client), ..Credential::default() },
            era: EraSetting::Legacy,
            runs_as,
            enabled: true,
        };
        let source = world.sources.add(&ada, new).await.unwrap().source.id;
        let connection = world.connections.want(ada.tenant, source, None).await.unwrap().id;
        Self { world, authority, ada, source, connection }
    }

    /// Signs somebody in with a connection, all the way.
    async fn sign_in(&self, member: &Member, id: ConnectionId) -> Result<Connection, SourceError> {
        let begun = self.world.sources.begin_sign_in(member, id).await?;
        let (_, going) = self.world.sources.going(member, begun).await?;
        let arrival = self.authority.authorize(&going.url);
        Ok(self.world.sources.finish_sign_in(member, arrival).await?.connection)
    }

    /// Calls the tool, which says what it was sent as `Authorization`.
    async fn call(&self, caller: Option<UserId>) -> Result<String, UpstreamError> {
        let way = self.world.sources.way(self.ada.tenant, self.source, caller).await.expect("a way");
        let call = Call {
            method: "tools/call",
            params: Bytes::from_static(br#"{"name":"echo","arguments":{}}"#),
            name: Some("echo".to_owned()),
            param_headers: Vec::new(),
            progress: false,
            log_level: None,
            timeout: Duration::from_secs(20),
            capabilities: Capabilities::default(),
            partition: None,
        };
        match way.link.call(call).await?.finish().await?.body {
            ReplyBody::Result(result) => Ok(String::from_utf8_lossy(&result).into_owned()),
            ReplyBody::Error(error) => panic!("{}", String::from_utf8_lossy(&error)),
        }
    }

    async fn now(&self) -> Connection {
        self.world.connections.find(&self.ada, self.connection).await.unwrap().unwrap()
    }
}
