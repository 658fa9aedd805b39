//! The OpenAPI 3.1 description. Successes are described beside their handlers; errors here, from
//! the same table that makes them, so that no description can differ from what is sent.

use std::collections::BTreeMap;

use actix_web::http::Method;
use thumbforge_intake::{ActionWord, FilterSchema, RequestFault, VariantSchema};
use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder,
    SecurityRequirement, Type, example::ExampleBuilder,
};

use super::description::Description;
use super::events::{BatchEvent, ImageEvent};
use super::openapi_problems::problems_of;
use super::openapi_schemas::{
    describe_batches, describe_presets, describe_targets, leave_numbers_unbounded,
    let_body_be_left_out,
};
use super::problem::{self, Problem, ProblemDocument};
use super::problem_kind::ProblemKind;
use super::routes;
use super::scope::Scope;
use super::state::ApiSettings;
use crate::domain::JobId;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "ThumbForge",
        description = "Image URLs in, thumbnails and metadata out, nothing lost.\n\n\
            Every error is an `application/problem+json` document (RFC 9457) whose `code` is \
            stable. Where a GET is described, HEAD answers with the same headers; another method \
            is answered with 405 and `Allow`. What is not HTTP/1.1 at all gets a bare 400."
    ),
    tags(
        (name = "images", description = "Jobs and their thumbnails"),
        (name = "batches", description = "Jobs that are submitted together"),
        (name = "events", description = "What ended, as it happens"),
        (name = "webhooks", description = "Receivers that are told what ended"),
        (name = "operation", description = "For operators; health checks need no key"),
    ),
    paths(
        routes::submit::submit,
        routes::list::list,
        routes::show::show,
        routes::life::delete,
        routes::life::cancel,
        routes::life::retry,
        routes::thumbnail::thumbnail,
        routes::variant::variant,
        routes::actions::begin,
        routes::actions::show,
        routes::actions::abort,
        routes::batch_submit::submit,
        routes::batches::list,
        routes::batches::show,
        routes::batches::images,
        routes::batch_life::cancel,
        routes::batch_life::retry,
        routes::events::all,
        routes::events::of_image,
        routes::events::of_batch,
        routes::webhooks::list,
        routes::webhooks::create,
        routes::webhooks::show,
        routes::webhooks::change,
        routes::webhooks::delete,
        routes::webhooks::rotate,
        routes::webhook_deliveries::test,
        routes::webhook_deliveries::recover,
        routes::webhook_deliveries::list,
        routes::webhook_deliveries::resend,
        routes::metrics::metrics,
        routes::exposition::show,
        routes::failures::list,
        routes::workers::list,
        routes::flow::show,
        routes::origins::list,
        routes::brakes::pause_origin,
        routes::brakes::resume_origin,
        routes::brakes::reset_origin,
        routes::brakes::pause_queue,
        routes::brakes::resume_queue,
        routes::health::healthy,
        routes::health::ready,
        routes::health::live,
    ),
    components(schemas(
        ProblemDocument, RequestFault, VariantSchema, FilterSchema, ActionWord,
        ImageEvent, BatchEvent, routes::events::EventSnapshot,
    ))
)]
struct Successes;

/// The errors that may come before any handler runs.
const EVERYWHERE: &[ProblemKind] = &[
    ProblemKind::UriTooLong,
    ProblemKind::HeadersTooLarge,
    ProblemKind::Internal,
];

const KEY_SCHEME: &str = "api_key";

/// The description of an API with these settings.
pub fn description(settings: &ApiSettings) -> Description {
    let json = |keys| {
        let document = document(settings, keys).to_json();
        document.unwrap_or_else(|error| {
            tracing::error!(%error, "the API description could not be written");
            String::from("{}")
        })
    };
    Description {
        open: json(false).into(),
        keyed: json(true).into(),
    }
}

/// With `keys`, that of an API that asks for them.
fn document(settings: &ApiSettings, keys: bool) -> utoipa::openapi::OpenApi {
    let mut document = Successes::openapi();
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            let guarded = keys && needs_a_key(path);
            let scope = guarded.then(|| Scope::needed(&method, path));
            describe_errors(operation, scope);
            let_body_be_left_out(operation);
            leave_numbers_unbounded(operation);
        }
    }
    if let Some(components) = &mut document.components {
        let names = settings.presets.keys().map(String::as_str);
        describe_presets(components, names);
        describe_targets(components);
        describe_batches(components);
    }
    if keys && let Some(components) = &mut document.components {
        let mut scheme = Http::new(HttpAuthScheme::Bearer);
        let description = "An API key; the requirements name the scope that it needs";
        scheme.description = Some(description.to_owned());
        components.add_security_scheme(KEY_SCHEME, SecurityScheme::Http(scheme));
    }
    document
}

/// Where there are keys.
fn needs_a_key(path: &str) -> bool {
    path == "/metrics" || path.starts_with("/v1/") && path != "/v1/healthz"
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let known = [
        (Method::GET, &mut item.get),
        (Method::POST, &mut item.post),
        (Method::PATCH, &mut item.patch),
        (Method::DELETE, &mut item.delete),
    ];
    let there = |(method, operation): (Method, _)| Some((method, Option::as_mut(operation)?));
    known.into_iter().filter_map(there)
}

fn describe_errors(operation: &mut Operation, scope: Option<Scope>) {
    let id = operation.operation_id.clone().unwrap_or_default();
    let mut by_status: BTreeMap<u16, Vec<ProblemKind>> = BTreeMap::new();
    for kind in problems_of(&id).iter().chain(EVERYWHERE) {
        by_status.entry(kind.status()).or_default().push(*kind);
    }
    if let Some(scope) = scope {
        for kind in [
            ProblemKind::Unauthorized,
            ProblemKind::Forbidden,
            ProblemKind::RateLimited,
        ] {
            by_status.entry(kind.status()).or_default().push(kind);
        }
        // Of schemes without scopes of their own these are names of roles.
        let roles = [scope.as_str()];
        operation.security = Some(vec![SecurityRequirement::new(KEY_SCHEME, roles)]);
    }
    let responses = &mut operation.responses.responses;
    for (status, kinds) in by_status {
        responses.insert(status.to_string(), RefOr::T(error_response(&kinds)));
    }
}

fn error_response(kinds: &[ProblemKind]) -> Response {
    let titles: Vec<_> = kinds.iter().map(|kind| kind.title()).collect();
    let examples = kinds.iter().map(|kind| {
        let document = serde_json::to_value(sample(*kind).document()).ok();
        let example = ExampleBuilder::new().summary(kind.title()).value(document);
        (kind.code(), RefOr::T(example.build()))
    });
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .examples_from_iter(examples)
        .build();
    let mut response = ResponseBuilder::new()
        .description(titles.join("; "))
        .content(problem::CONTENT_TYPE, content);
    let header = match kinds.first().map(|kind| kind.status()) {
        // Of a key that is in use.
        Some(409) if kinds.contains(&ProblemKind::IdempotencyKeyInUse) => Some((
            "Retry-After",
            "Seconds to wait while the first request is under way",
        )),
        Some(429 | 503) => Some(("Retry-After", "Seconds to wait before trying again")),
        Some(401) => Some(("WWW-Authenticate", "How to present a key")),
        Some(416) => Some(("Content-Range", "The size of the thumbnail")),
        _ => None,
    };
    if let Some((name, description)) = header {
        let text = ObjectBuilder::new().schema_type(Type::String);
        let header = HeaderBuilder::new()
            .schema(Some(text))
            .description(Some(description))
            .build();
        response = response.header(name, header);
    }
    response.build()
}

/// A problem of each kind as it may look.
fn sample(kind: ProblemKind) -> Problem {
    use ProblemKind as P;
    match kind {
        P::DuplicateActive => Problem::duplicate_active(JobId(uuid::Uuid::from_u128(
            0x0198_0a5c_7f1e_7cc3_9d7a_6a0f_5b1f_8e21,
        ))),
        P::InvalidBody => Problem::new(kind, "Send an object with one member, `url`.")
            .with_errors(vec![RequestFault::in_body("#/url", "is required")]),
        P::InvalidQuery => {
            Problem::new(kind, "Correct the parameters named in errors.").with_errors(vec![
                RequestFault::in_parameter("limit", "must be a whole number of at least 1"),
            ])
        }
        P::Unavailable => Problem::new(kind, "The request could not be served in time; try again.")
            .with_failing(vec!["database"]),
        _ => Problem::new(kind, format!("{}.", kind.title())),
    }
}
