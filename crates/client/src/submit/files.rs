//! Downloaded files: their names, and what may not be overwritten.

use std::fs::{File, Permissions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use reqwest::Method;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::body::{Body, hex};
use super::item::Work;
use crate::patience::{Patience, retried};
use crate::server::in_path;
use crate::trouble::Trouble;

/// Of the part of a name that comes from the URL.
const LONGEST_STEM: usize = 60;
/// As any new file; the umask of the process takes away from it.
const MODE: u32 = 0o666;

/// A file of a job, as the API has it.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    /// Encoded, below the server.
    path: String,
    name: String,
    /// In lower-case hex, if the job reports it.
    sha256: Option<String>,
}

/// Downloads what is not there yet. `saved` has what is there, also after an error.
pub async fn save_all(
    work: &Work,
    folder: &Path,
    body: &Body,
    job: &Value,
    saved: &mut Vec<PathBuf>,
) -> Result<(), Trouble> {
    for file in wanted(&stem(body), job) {
        let target = folder.join(&file.name);
        let is_there = match &file.sha256 {
            Some(sha256) => sha256_of(&target)?.is_some_and(|found| found == *sha256),
            None => false,
        };
        if !is_there {
            let downloaded = download(work, folder, &file).await?;
            keep(downloaded, &target, work.plan.overwrite)?;
        }
        saved.push(target);
    }
    Ok(())
}

/// Every file of every variant that was made, or the one thumbnail.
fn wanted(stem: &str, job: &Value) -> Vec<Wanted> {
    let id = in_path(job["id"].as_str().unwrap_or_default());
    let text = |value: &Value, member: &str| value[member].as_str().map(str::to_owned);
    let Some(variants) = job.pointer("/result/variants").and_then(Value::as_object) else {
        let media_type = text(&job["result"]["thumbnail"], "content_type");
        return vec![Wanted {
            path: format!("/v1/images/{id}/thumbnail"),
            name: format!("{stem}.{}", extension(media_type.as_deref())),
            sha256: None,
        }];
    };
    let made = variants
        .iter()
        .filter(|(_, made)| made["sha256"].is_string());
    made.flat_map(|(name, made)| {
        let files = match made["formats"].as_array() {
            Some(files) => files.as_slice(),
            None => std::slice::from_ref(made),
        };
        let id = &id;
        files.iter().map(move |file| {
            let media_type = text(file, "content_type");
            let extension = extension(media_type.as_deref());
            let word = media_type
                .as_deref()
                .and_then(|name| name.strip_prefix("image/"));
            let word = in_path(word.unwrap_or_default());
            Wanted {
                path: format!("/v1/images/{id}/variants/{}?format={word}", in_path(name)),
                name: format!("{stem}-{}.{extension}", harmless(name)),
                sha256: text(file, "sha256"),
            }
        })
    })
    .collect()
}

/// From the URL's last part, for people, and from a hash of the whole URL and of the pictures that a
/// line wants of its own, so that no two of them share a name. It has no other characters than
/// letters, digits, `_` and `-`.
fn stem(body: &Body) -> String {
    let path = body.url.split(['?', '#']).next().unwrap_or_default();
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    let last = match path.rsplit_once('/') {
        Some((_, last)) => last,
        None => "",
    };
    let without_extension = last.rsplit_once('.').map_or(last, |(stem, _)| stem);
    let readable = harmless(without_extension);
    let readable = readable.trim_matches(['_', '-']);
    let readable = if readable.is_empty() {
        "image"
    } else {
        readable
    };
    let mut hash = Sha256::new_with_prefix(&body.url);
    if let Some(pictures) = &body.own_pictures {
        // No URL has it.
        hash.update([0]);
        hash.update(pictures);
    }
    format!("{readable}-{}", hex(&hash.finalize()[..6]))
}

fn harmless(text: &str) -> String {
    let chars = text.chars().take(LONGEST_STEM);
    chars
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' => c,
            _ => '_',
        })
        .collect()
}

fn extension(media_type: Option<&str>) -> &'static str {
    match media_type {
        Some("image/jpeg") => "jpg",
        Some("image/png") => "png",
        Some("image/webp") => "webp",
        Some("image/avif") => "avif",
        _ => "bin",
    }
}

/// Into a file without a name that others would look for, in the folder where it will stay.
async fn download(work: &Work, folder: &Path, file: &Wanted) -> Result<NamedTempFile, Trouble> {
    let patience = Patience::new(work.plan.give_up_after);
    let fetch = || async {
        let request = work.server.request(Method::GET, &file.path);
        let mut answer = work.server.send(request).await?;
        let target = tempfile::Builder::new()
            .prefix(".thumbforge-")
            .permissions(Permissions::from_mode(MODE))
            .tempfile_in(folder);
        let mut target =
            target.with_context(|| format!("can't write into {}", folder.display()))?;
        while let Some(chunk) = work.server.chunk(&mut answer).await? {
            target
                .write_all(chunk.as_ref())
                .context("can't write the file")?;
        }
        Ok(target)
    };
    retried(patience, |_| true, fetch).await
}

/// Gives the file its name. One of the same name and bytes may stay.
fn keep(file: NamedTempFile, target: &Path, overwrite: bool) -> Result<(), Trouble> {
    let shown = target.display();
    if overwrite {
        let kept = file.persist(target);
        kept.with_context(|| format!("can't write {shown}"))?;
        return Ok(());
    }
    let Err(refused) = file.persist_noclobber(target) else {
        return Ok(());
    };
    if refused.error.kind() != io::ErrorKind::AlreadyExists {
        let error = anyhow::Error::from(refused.error);
        return Err(error.context(format!("can't write {shown}")).into());
    }
    match sha256_of(target)? == sha256_of(refused.file.path())? {
        true => Ok(()),
        false => Err(Trouble::Other(anyhow::anyhow!(
            "{shown} is there already, with other bytes; --overwrite replaces it"
        ))),
    }
}

/// `None` if there is no such file.
fn sha256_of(path: &Path) -> Result<Option<String>, Trouble> {
    let shown = || format!("can't read {}", path.display());
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.with_context(shown)?,
    };
    let mut reader = BufReader::new(file);
    let mut hash = Sha256::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        match reader.read(&mut buffer).with_context(shown)? {
            0 => return Ok(Some(hex(&hash.finalize()))),
            length => hash.update(&buffer[..length]),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::body::of_line;
    use super::*;

    fn stem_of(line: &str) -> String {
        stem(&of_line(line, &serde_json::Map::new()).unwrap())
    }

    #[test]
    fn lines_that_want_other_pictures_of_a_url_have_other_names() {
        let plain = r#"{"url": "http://a/b.jpg", "tags": ["x"]}"#;
        assert_eq!(stem_of(plain), stem_of("http://a/b.jpg"));
        let (mut seen, url) = (vec![stem_of(plain)], "http://a/b.jpg");
        for own in [
            json!({"url": url, "variants": [{"name": "card", "width": 320}]}),
            json!({"url": url, "variants": [{"name": "card", "width": 640}]}),
            json!({"url": url, "preset": "card"}),
        ] {
            let own = stem_of(&own.to_string());
            assert!(own.starts_with("b-") && !seen.contains(&own), "{own}");
            seen.push(own);
        }
    }

    #[test]
    fn no_url_leads_out_of_the_folder_or_to_the_file_of_another() {
        let mut seen = std::collections::HashSet::new();
        for url in [
            "http://a/harbour.jpg",
            "http://b/harbour.jpg",
            "http://a/harbour.jpg?x=1",
            "http://a/../../etc/passwd",
            "http://a/..",
            "http://a/%2e%2e%2fb.jpg",
            "http://a/.ssh",
            "http://a/x\\y:z\0.jpg",
            "http://a",
            "http://a/",
            "",
            &format!("http://a/{}", "ü".repeat(3000)),
        ] {
            let stem = stem_of(url);
            let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            assert!(stem.chars().all(is_plain) && stem.len() < 80, "{stem}");
            assert!(!stem.starts_with(['-', '_']), "{stem}");
            assert!(seen.insert(stem.clone()), "{stem}");
        }
        assert!(stem_of("http://a/harbour.jpg").starts_with("harbour-"));
        assert!(stem_of("http://a").starts_with("image-"));
    }

    #[test]
    fn every_format_of_every_variant_is_a_file() {
        let job = json!({"id": "1", "result": {"variants": {
            "card": {"sha256": "c", "content_type": "image/jpeg", "formats": [
                {"content_type": "image/webp", "sha256": "a"},
                {"content_type": "image/jpeg", "sha256": "b"},
            ]},
            "../x": {"sha256": "d", "content_type": "image/png"},
            "gone": {"error_code": "variant_too_large"},
        }}});
        let stem = stem_of("http://a/b.jpg");
        let mut files = wanted(&stem, &job);
        files.sort_by(|a, b| a.sha256.cmp(&b.sha256));
        let names: Vec<_> = files.iter().map(|file| file.name.clone()).collect();
        let expected = ["card.webp", "card.jpg", "___x.png"];
        assert_eq!(names, expected.map(|end| format!("{stem}-{end}")));
        assert_eq!(files[0].path, "/v1/images/1/variants/card?format=webp");
        assert_eq!(files[2].path, "/v1/images/1/variants/..%2Fx?format=png");
    }

    fn written(folder: &Path, text: &str) -> NamedTempFile {
        let mut file = NamedTempFile::new_in(folder).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn a_file_with_other_bytes_stays_unless_it_may_be_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.jpg");
        keep(written(folder.path(), "one"), &target, false).unwrap();
        keep(written(folder.path(), "one"), &target, false).unwrap();
        let refused = keep(written(folder.path(), "two"), &target, false).unwrap_err();
        assert!(refused.to_string().contains("--overwrite"), "{refused}");
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "one");
        keep(written(folder.path(), "two"), &target, true).unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
