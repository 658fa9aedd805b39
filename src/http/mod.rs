//! The HTTP API: routes, DTOs, problem details, OpenAPI.
