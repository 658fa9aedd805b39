//! Scripts, styles and icons inside the binary. The hash of its bytes is in the URL of each, so
//! that browsers may keep it for ever.

use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use sha2::{Digest, Sha256};

use crate::domain::hex;
use crate::http::shared::{Problem, ProblemKind};

const CACHING: &str = "public, max-age=31536000, immutable";

struct Asset {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// A file of the folder beside this one.
macro_rules! asset {
    ($name:literal, $content_type:expr) => {
        Asset {
            name: $name,
            content_type: $content_type,
            bytes: include_bytes!(concat!("assets/", $name)),
        }
    };
}

const ASSETS: [Asset; 5] = [
    asset!("style.css", "text/css; charset=utf-8"),
    asset!("htmx.min.js", JAVASCRIPT),
    asset!("live.js", JAVASCRIPT),
    asset!("page.js", JAVASCRIPT),
    asset!("icon.svg", "image/svg+xml"),
];

/// The first digits of the hash of each.
static HASHES: LazyLock<[String; ASSETS.len()]> = LazyLock::new(|| {
    ASSETS.map(|asset| {
        let digest = Sha256::digest(asset.bytes);
        hex(&digest[..8])
    })
});

/// The path of a file; `name` is one of them.
pub fn path(name: &str) -> String {
    let place = ASSETS.iter().position(|asset| asset.name == name);
    let hash = place.map_or("", |place| &HASHES[place]);
    format!("/ui/assets/{hash}/{name}")
}

/// A file. The hash of another version leads to this one, which is then not kept.
pub async fn show(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let name = request.match_info().query("name");
    let place = ASSETS.iter().position(|asset| asset.name == name);
    let place = place.ok_or_else(|| {
        let detail = "The dashboard has no such file.";
        Problem::new(ProblemKind::NotFound, detail)
    })?;
    let asset = &ASSETS[place];
    let is_current = request.match_info().query("hash") == HASHES[place];
    let caching = if is_current { CACHING } else { "no-cache" };
    Ok(HttpResponse::Ok()
        .content_type(asset.content_type)
        .insert_header((header::CACHE_CONTROL, caching))
        .body(asset.bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_changes_with_the_bytes() {
        let paths: Vec<String> = ASSETS.iter().map(|asset| path(asset.name)).collect();
        for path in &paths {
            let hash = path.split('/').nth(3).unwrap();
            assert_eq!(hash.len(), 16, "{path}");
            assert_eq!(paths.iter().filter(|other| other.contains(hash)).count(), 1);
        }
    }
}
