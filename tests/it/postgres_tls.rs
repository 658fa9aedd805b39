//! TLS to a real Postgres: each `sslmode` against the right and the wrong authority and name, with
//! the meaning that libpq gives it.

use std::path::Path;

use thumbforge::db::{Database, Target};

use crate::support::authority::Authority;
use crate::support::postgres::{Postgres, ServerTls};

/// Roles that get in with TLS alone, without it, and with a certificate of their own.
const RULES: &str = "hostssl all only_tls 127.0.0.1/32 trust\n\
     hostnossl all only_plain 127.0.0.1/32 trust\n\
     hostssl all certified 127.0.0.1/32 cert";

/// A server whose certificate is for `localhost`, and not for `127.0.0.1`.
struct Scene {
    server: Postgres,
    right: Authority,
    wrong: Authority,
    database: String,
}

impl Scene {
    async fn set() -> Self {
        let right = Authority::new("right");
        let server = Postgres::with_tls(&ServerTls {
            own: &right.certify(&["localhost"]),
            clients: &right.file(),
            rules: RULES,
        });
        let url = server.new_database();
        let (_, database) = url.rsplit_once('/').unwrap();
        for role in ["only_tls", "only_plain", "certified"] {
            let made = server.psql(database, &format!("CREATE ROLE {role} LOGIN SUPERUSER"));
            assert!(made.status.success(), "{made:?}");
        }
        let target = Target::Postgres(url.clone());
        let opened = Database::open(&target, 2).unwrap();
        opened.migrate(&target).await.unwrap();
        Self {
            database: database.to_owned(),
            server,
            right,
            wrong: Authority::new("wrong"),
        }
    }

    fn url(&self, role: &str, host: &str, options: &str) -> String {
        let (port, database) = (self.server.port, &self.database);
        format!("postgres://{role}@{host}:{port}/{database}?application_name=tried&{options}")
    }

    /// Whether a connection has TLS, or why there is none.
    async fn tried(&self, url: String) -> Result<bool, String> {
        let database = Database::open(&Target::Postgres(url), 1).map_err(|e| e.to_string())?;
        database.ping().await.map_err(|error| error.to_string())?;
        let sql = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                   WHERE application_name = 'tried' ORDER BY backend_start DESC LIMIT 1";
        let output = self.server.psql(&self.database, sql);
        Ok(output.stdout.trim_ascii() == b"t")
    }
}

/// Mode, host, root, and the outcome: TLS or not, or a word of the refusal.
type Trial<'a> = (&'a str, &'a str, Option<&'a Path>, Result<bool, &'a str>);

fn options(mode: &str, root: Option<&Path>) -> String {
    let root = root.map_or(String::new(), |root| {
        format!("&sslrootcert={}", root.display())
    });
    format!("sslmode={mode}{root}")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_sslmode_trusts_what_libpq_trusts() {
    let scene = Scene::set().await;
    let (right, wrong) = (scene.right.file(), scene.wrong.file());
    let (named, other) = ("localhost", "127.0.0.1");
    let unknown = "unknown authority";
    let table: &[Trial<'_>] = &[
        ("disable", named, Some(&right), Ok(false)),
        ("allow", named, None, Ok(false)),
        ("allow", named, Some(&wrong), Ok(false)),
        ("prefer", other, None, Ok(true)),
        ("prefer", other, Some(&right), Ok(true)),
        // TLS fails, and then it goes without.
        ("prefer", named, Some(&wrong), Ok(false)),
        ("require", other, None, Ok(true)),
        // A file of roots makes it look at the chain, and not at the name.
        ("require", other, Some(&right), Ok(true)),
        ("require", named, Some(&wrong), Err(unknown)),
        ("verify-ca", named, Some(&right), Ok(true)),
        ("verify-ca", other, Some(&right), Ok(true)),
        ("verify-ca", named, Some(&wrong), Err(unknown)),
        ("verify-ca", named, None, Err(unknown)),
        ("verify-full", named, Some(&right), Ok(true)),
        ("verify-full", other, Some(&right), Err("another name")),
        ("verify-full", named, Some(&wrong), Err(unknown)),
        ("verify-full", named, None, Err(unknown)),
    ];
    for (mode, host, root, expected) in table {
        let options = options(mode, *root);
        let outcome = scene.tried(scene.url("thumbforge", host, &options)).await;
        match (&outcome, expected) {
            (Ok(has_tls), Ok(wanted)) if has_tls == wanted => {}
            (Err(sentence), Err(word)) if sentence.contains(word) => {}
            _ => panic!("{mode} to {host} with {root:?}: {outcome:?}, expected {expected:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_refuses_is_tried_the_other_way_where_the_mode_allows() {
    let scene = Scene::set().await;
    for (role, mode, expected) in [
        ("only_tls", "disable", None),
        ("only_tls", "allow", Some(true)),
        ("only_tls", "prefer", Some(true)),
        ("only_tls", "require", Some(true)),
        ("only_plain", "disable", Some(false)),
        ("only_plain", "allow", Some(false)),
        ("only_plain", "prefer", Some(false)),
        ("only_plain", "require", None),
    ] {
        let url = scene.url(role, "localhost", &options(mode, None));
        let outcome = scene.tried(url).await;
        assert_eq!(
            outcome.clone().ok(),
            expected,
            "{role}, {mode}: {outcome:?}"
        );
        if let Err(sentence) = outcome {
            assert!(sentence.contains("pg_hba.conf"), "{sentence}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_asks_for_a_certificate_gets_it() {
    let scene = Scene::set().await;
    let root = scene.right.file();
    let of = |authority: &Authority, name: &str| {
        let files = authority.certify(&[name]);
        let (certificate, key) = (files.certificate.display(), files.key.display());
        format!(
            "{}&sslcert={certificate}&sslkey={key}",
            options("verify-full", Some(&root))
        )
    };
    let good = of(&scene.right, "certified");
    let url = scene.url("certified", "localhost", &good);
    assert_eq!(scene.tried(url).await, Ok(true));
    for (what, options) in [
        ("none", options("verify-full", Some(&root))),
        ("of another name", of(&scene.right, "somebody")),
        ("of another authority", of(&scene.wrong, "certified")),
        ("hidden", format!("{good}&sslcertmode=disable")),
    ] {
        let url = scene.url("certified", "localhost", &options);
        let outcome = scene.tried(url).await;
        assert!(outcome.is_err(), "a certificate {what}: {outcome:?}");
    }
}
