//! The description of the API as it is served: written once, at start.

use actix_web::web::Bytes;
use serde_json::json;

/// OpenAPI 3.1, of an API that asks for keys and of one that does not.
pub struct Description {
    pub open: Bytes,
    pub keyed: Bytes,
}

impl Description {
    /// The one that holds now. `server` is where clients reach the API, if that is not the root of
    /// where they found this.
    pub fn of(&self, needs_keys: bool, server: Option<&str>) -> Bytes {
        let json = match needs_keys {
            true => &self.keyed,
            false => &self.open,
        };
        match (server, json.strip_prefix(b"{")) {
            (Some(server), Some(rest)) => {
                let servers = json!([{"url": server}]);
                let begin = format!("{{\"servers\":{servers},");
                [begin.as_bytes(), rest].concat().into()
            }
            _ => json.clone(),
        }
    }
}
