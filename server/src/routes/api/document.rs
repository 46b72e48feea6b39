//! The OpenAPI document of this API.

use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        Components,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use super::{
    access, analyses, apply, audit, datasources, explain, forks, gallery, invitations, keys, organisations,
    plan_changes, presets, teams, transfers, tunnels, usage, versions,
};
use crate::apply::{Action, Plan, Step};

/// The document. Every path of `routes/mod.rs` under `/api/v1` stands here; a test compares them.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Doorward",
        description = "What the console does, for programs. Send an API key as `Authorization: Bearer dw_…`. \
                       What goes wrong is answered as problem details (RFC 9457).\n\n\
                       A request acts in one organisation: the one its API key was made in. A key that a person made \
                       in their own organisation acts in another one of theirs where the request names that by its \
                       handle, as `Doorward-Organisation: acme`; a key made in a team acts there alone.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        openapi,
        datasources::list, datasources::create, datasources::read, datasources::update, datasources::remove,
        datasources::test,
        analyses::applications, analyses::list, analyses::create, analyses::read, analyses::remove,
        analyses::cancel, analyses::again, analyses::json, analyses::markdown, analyses::against,
        tunnels::list, tunnels::create, tunnels::read, tunnels::update, tunnels::remove, tunnels::test,
        tunnels::confirm, tunnels::generate,
        presets::list, presets::create, presets::read, presets::update, presets::remove,
        access::list, access::create, access::remove,
        forks::read, forks::create,
        transfers::list, transfers::read, transfers::offer, transfers::take_over, transfers::end,
        gallery::list,
        versions::list, versions::read, versions::restore,
        invitations::list, invitations::create, invitations::remove,
        keys::list, keys::create, keys::update, keys::revoke,
        organisations::list, organisations::create, organisations::read, organisations::update,
        organisations::remove, organisations::members, organisations::set_role, organisations::expel,
        organisations::invitations, organisations::invite, organisations::withdraw,
        organisations::offered, organisations::accept, organisations::decline,
        teams::list, teams::create, teams::read, teams::update, teams::remove, teams::put_member,
        teams::remove_member,
        explain::read,
        plan_changes::create, usage::read, usage::months, usage::csv,
        audit::list, audit::read, audit::export::jsonl, audit::export::csv, audit::proof::file,
        audit::proof::keys, audit::proof::list, audit::proof::sign, audit::proof::erase,
        apply::apply, apply::export,
    ),
    components(schemas(Plan, Step, Action)),
    modifiers(&ApiKey)
)]
pub struct Document;

struct ApiKey;

impl Modify for ApiKey {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("dw_…").build();
        let components = document.components.get_or_insert_with(Components::new);
        components.add_security_scheme("api_key", SecurityScheme::Http(scheme));
        document.security = Some(vec![SecurityRequirement::new("api_key", Vec::<String>::new())]);
    }
}

/// Returns this document. Needs no key.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "documents", security(()),
    responses((status = 200, description = "the OpenAPI document")))]
pub(in crate::routes) async fn openapi() -> Response {
    Json(Document::openapi()).into_response()
}
