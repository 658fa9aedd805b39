//! The API behind a real nginx, configured as deploy/nginx.conf says.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use thumbforge::http::ApiSettings;

use crate::api::harness::{Api, JSON, settings};
use crate::support::deadline::eventually;
use crate::support::event_stream::EventStream;
use crate::support::http_client::{request, try_get};
use crate::support::server_process::{ServerProcess, find_program, free_port};
use crate::support::skipped::skipped;

/// What stands around the recipe: one server, and all files in one folder.
fn configuration(folder: &Path, listens: SocketAddr, api: SocketAddr) -> String {
    let recipe = include_str!("../../deploy/nginx.conf");
    assert!(recipe.contains("http://127.0.0.1:8000/;"), "{recipe}");
    let recipe = recipe.replace("127.0.0.1:8000", &api.to_string());
    let folder = folder.display();
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let paths = paths.map(|name| format!("{name}_temp_path {folder}/{name};\n"));
    format!(
        "daemon off; pid {folder}/pid; error_log {folder}/errors; events {{}}\n\
         http {{ access_log off; {}\nserver {{ listen {listens};\n{recipe}}} }}\n",
        paths.concat()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn under_a_prefix_everything_is_found() {
    let folders = ["/usr/sbin", "/usr/local/sbin"].map(Into::into);
    let Some(nginx) = find_program("nginx", &folders) else {
        return skipped("behind nginx", "nginx is not installed");
    };
    let api = Api::on_sqlite(ApiSettings {
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        ..settings()
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let proxy = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let file = folder.path().join("nginx.conf");
    std::fs::write(&file, configuration(folder.path(), proxy, api.address)).unwrap();
    let arguments = ["-p", ".", "-c", file.to_str().unwrap()].map(str::to_owned);
    let _server = ServerProcess::start(&nginx, &arguments, folder.path(), None, "TERM");
    let errors = folder.path().join("errors");
    let said = || std::fs::read_to_string(&errors).unwrap_or_default();
    eventually(
        "nginx passes requests on",
        Duration::from_secs(30),
        async || {
            let answer = try_get(proxy, "/thumbs/livez", Duration::from_secs(3));
            answer.is_ok_and(|answer| answer.status == 200)
        },
    )
    .await;

    // What is for the monitor stays inside.
    let metrics = request(proxy, "GET", "/thumbs/metrics", &[], b"").await;
    assert_eq!(metrics.status, 404);
    assert_eq!(api.get("/metrics").await.status, 200);

    // A client's own word does not pass the proxy.
    let headers = [JSON, ("X-Forwarded-Prefix", "/evil")];
    let body = b"{\"url\": \"https://images.example.com/a.jpg\"}";
    let answer = request(proxy, "POST", "/thumbs/v1/images", &headers, body).await;
    assert_eq!(answer.status, 202, "{answer:?} {}", said());
    let location = answer.header("location").unwrap();
    assert!(location.starts_with("/thumbs/v1/images/"), "{location}");
    let job = request(proxy, "GET", location, &[], b"").await;
    assert_eq!((job.status, &job.json()["id"]), (200, &answer.json()["id"]));

    // Events are not kept back.
    let events = format!("http://{proxy}/thumbs/v1/events");
    let mut stream = EventStream::open(&events, &[]).await;
    assert_eq!(stream.next().await.unwrap().name, "snapshot");
    let id = job.json()["id"].as_str().unwrap().parse().unwrap();
    api.complete(id, b"jpeg").await;
    let told = stream.next().await.unwrap();
    assert_eq!(told.data["data"]["id"], job.json()["id"]);

    // As a browser goes: to the documentation, its scripts, and the description.
    let entrance = request(proxy, "GET", "/thumbs/docs", &[], b"").await;
    assert_eq!(
        (entrance.status, entrance.header("location")),
        (307, Some("docs/"))
    );
    let page = request(proxy, "GET", "/thumbs/docs/", &[], b"").await;
    assert_eq!(page.status, 200);
    let script = "/thumbs/docs/swagger-initializer.js";
    let start = request(proxy, "GET", script, &[], b"").await;
    let start = String::from_utf8(start.body).unwrap();
    assert!(start.contains("\"../openapi.json\""), "{start}");
    let description = request(proxy, "GET", "/thumbs/openapi.json", &[], b"").await;
    assert_eq!(description.json()["servers"][0]["url"], "/thumbs");
}
