//! The page of a job: its pictures, its facts, and what happened to it.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use crate::domain::{Job, JobId, JobStatus, PastAttempt, Timestamp, VariantOutcome, transition};
use crate::http::ApiState;
use crate::http::shared::{JobBody, Prefix, Problem, job_id, show as api};
use crate::ui::frame::{Frame, Section, answer};
use crate::ui::picture::{Card, split};
use crate::ui::times::{When, bytes, length};

#[derive(Template)]
#[template(path = "job.html")]
struct JobPage {
    frame: Frame,
    card: Card,
    url: String,
    /// After redirects, if it is another one.
    final_url: Option<String>,
    is_active: bool,
    variants: Vec<Variant>,
    facts: Vec<(&'static str, String)>,
    labels: Vec<Label>,
    metadata: Option<String>,
    moments: Vec<Happening>,
    json: String,
    may_change: bool,
    may_retry: bool,
    /// What to do about the failure.
    advice: Option<&'static str>,
}

struct Variant {
    name: String,
    /// What was made of it, or why not.
    text: String,
    files: Vec<(String, String)>,
    src: Option<String>,
    width: u32,
    height: u32,
}

struct Label {
    name: &'static str,
    text: String,
    href: Option<String>,
}

/// A line of the timeline.
struct Happening {
    title: String,
    detail: String,
    when: Option<When>,
    kind: &'static str,
}

pub async fn show(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let id: JobId = job_id(&request)?;
    let (job, attempts) = api::find_with_attempts(&state, id).await?;
    let page = page(&request, &job, attempts)?;
    answer(StatusCode::OK, &page)
}

fn page(request: &HttpRequest, job: &Job, attempts: Vec<PastAttempt>) -> Result<JobPage, Problem> {
    let (host, _) = split(&job.url);
    let frame = Frame::of(request, Section::Jobs, format!("Job from {host}"));
    let is_active = transition::is_active(job.status);
    let may_change = frame.may_change(job.submitted_by.as_deref());
    let final_url = job.result.as_ref().map(|result| result.source_url.clone());
    let moments = moments(job, &attempts);
    let body = JobBody::with_attempts(job.clone(), attempts, &Prefix::of(request));
    let json = serde_json::to_string_pretty(&body).map_err(|error| {
        tracing::error!(%error, "a job could not be written");
        Problem::internal()
    })?;
    Ok(JobPage {
        card: Card::new(job, &frame),
        variants: variants(job, &frame),
        facts: facts(job),
        labels: labels(job, &frame),
        metadata: job.metadata.as_deref().map(pretty),
        url: job.url.clone(),
        final_url: final_url.filter(|url| *url != job.url),
        moments,
        json,
        is_active,
        may_change,
        may_retry: matches!(job.status, JobStatus::Failed | JobStatus::Cancelled),
        advice: job.error_code.as_deref().and_then(advice),
        frame,
    })
}

fn pretty(json: &str) -> String {
    let value: Option<serde_json::Value> = serde_json::from_str(json).ok();
    let pretty = value.and_then(|value| serde_json::to_string_pretty(&value).ok());
    pretty.unwrap_or_else(|| json.to_owned())
}

fn variants(job: &Job, frame: &Frame) -> Vec<Variant> {
    let Some(result) = &job.result else {
        return Vec::new();
    };
    let variant = |record: &crate::domain::VariantRecord| {
        let place = frame.link(&format!("/ui/images/{}/variants/{}", job.id, record.name));
        match &record.outcome {
            VariantOutcome::Failed { error_code, error } => Variant {
                name: record.name.clone(),
                text: format!("{error_code}: {error}"),
                files: Vec::new(),
                src: None,
                width: 0,
                height: 0,
            },
            VariantOutcome::Made {
                width,
                height,
                files,
            } => Variant {
                name: record.name.clone(),
                text: format!("{width} × {height}"),
                files: files
                    .iter()
                    .map(|file| {
                        let word = file.content_type.strip_prefix("image/").unwrap_or("");
                        let text = format!("{} {}", word.to_uppercase(), bytes(file.size_bytes));
                        (format!("{place}?format={word}"), text)
                    })
                    .collect(),
                src: Some(place),
                width: *width,
                height: *height,
            },
        }
    };
    result.variants.iter().map(variant).collect()
}

fn facts(job: &Job) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(result) = &job.result {
        facts.push((
            "Source",
            format!("{} × {} px {}", result.width, result.height, result.format),
        ));
        facts.push(("Size", bytes(result.size_bytes)));
        let thumbnail = &result.thumbnail;
        facts.push((
            "Thumbnail",
            format!(
                "{} × {} px, {}",
                thumbnail.width,
                thumbnail.height,
                bytes(thumbnail.size_bytes)
            ),
        ));
        if result.frames > 1 {
            facts.push(("Frames", result.frames.to_string()));
        }
        if result.has_alpha {
            facts.push(("Transparency", "yes".to_owned()));
        }
        if let Some(profile) = &result.icc_profile {
            facts.push(("Colour profile", profile.clone()));
        }
        let exif = result.exif.as_ref();
        let camera = exif.and_then(|exif| exif.camera.clone());
        let lens = exif.and_then(|exif| exif.lens.clone());
        let taken = exif.and_then(|exif| exif.taken_at.clone());
        for (name, value) in [("Camera", camera), ("Lens", lens), ("Taken", taken)] {
            facts.extend(value.map(|value| (name, value)));
        }
        if result.truncated {
            facts.push(("Note", "the file ends early or is damaged".to_owned()));
        }
        facts.push(("SHA-256", result.sha256.clone()));
    }
    if let Some(status) = job.source_status {
        facts.push(("Answer of the source", format!("HTTP {status}")));
    }
    facts
}

fn labels(job: &Job, frame: &Frame) -> Vec<Label> {
    let list = |name: &str, value: &str| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair(name, value);
        Some(frame.link(&format!("/ui/jobs?{}", query.finish())))
    };
    let (host, _) = split(&job.url);
    // The filter knows names alone.
    let name = url::Url::parse(&job.url).ok();
    let name = name.as_ref().and_then(url::Url::host_str).unwrap_or(host);
    let label = |name, text: String, href| Label { name, text, href };
    let mut labels = vec![label("Host", name.to_owned(), list("host", name))];
    for tag in &job.tags {
        labels.push(label("Tag", tag.clone(), list("tag", tag)));
    }
    if let Some(batch) = job.batch_id {
        let text = batch.to_string();
        labels.push(label("Batch", text.clone(), list("batch_id", &text)));
    }
    if let Some(key) = &job.submitted_by {
        labels.push(label(
            "Submitted by",
            key.clone(),
            list("submitted_by", key),
        ));
    }
    labels.push(label("Priority", job.priority.get().to_string(), None));
    labels
}

/// What happened, from the submission on.
fn moments(job: &Job, attempts: &[PastAttempt]) -> Vec<Happening> {
    let mut moments = vec![Happening {
        title: "Submitted".to_owned(),
        detail: String::new(),
        when: Some(job.created_at.into()),
        kind: "neutral",
    }];
    let mut free_since = job.created_at.unix_micros() / 1000;
    for (attempt, number) in attempts.iter().zip(1..) {
        let waited = between(free_since, attempt.began);
        let worked = between(attempt.began, attempt.ended);
        free_since = attempt.ended;
        let (said, kind) = outcome(&attempt.outcome);
        let code = attempt
            .error_code
            .as_deref()
            .map(|code| format!(" ({code})"));
        moments.push(Happening {
            title: format!("Attempt {number} {said}{}", code.unwrap_or_default()),
            detail: format!("waited {}, worked {}", length(waited), length(worked)),
            when: Timestamp::from_unix_micros(attempt.ended.saturating_mul(1000)).map(When::from),
            kind,
        });
    }
    let now = match job.status {
        JobStatus::Pending => {
            let due = job.not_before.filter(|moment| moment.elapsed().is_zero());
            let detail = due.map(|moment| format!("not before {}", When::from(moment).spelled()));
            Some(("Waits for a worker", detail.unwrap_or_default(), "pending"))
        }
        JobStatus::Processing => Some(("A worker is at it", String::new(), "processing")),
        JobStatus::Cancelled => Some(("Cancelled", String::new(), "cancelled")),
        JobStatus::Failed if attempts.is_empty() => {
            Some(("Failed", "without an attempt".to_owned(), "failed"))
        }
        JobStatus::Completed | JobStatus::Failed => None,
    };
    if let Some((title, detail, kind)) = now {
        let since = (job.status != JobStatus::Pending).then(|| job.updated_at.into());
        moments.push(Happening {
            title: title.to_owned(),
            detail,
            when: since,
            kind,
        });
    }
    moments
}

/// Milliseconds; a clock may have been set back meanwhile.
fn between(from: i64, to: i64) -> Duration {
    Duration::from_millis(u64::try_from(to.saturating_sub(from)).unwrap_or(0))
}

/// The words of `attempts_log` as a person says them, and the state that they look like.
fn outcome(word: &str) -> (&str, &'static str) {
    match word {
        "completed" => ("completed", "completed"),
        "failed" => ("failed", "failed"),
        "retried" => ("failed, to be tried again", "failed"),
        "parked" => ("was put off: the origin refused", "pending"),
        "handed_back" => ("was handed back", "pending"),
        "lease_expired" => ("was lost: its worker went silent", "failed"),
        "worker_lost" => ("was lost: its worker died", "failed"),
        "cancelled" => ("was cancelled", "cancelled"),
        other => (other, "neutral"),
    }
}

/// What helps against a failure, where something does.
pub fn advice(code: &str) -> Option<&'static str> {
    Some(match code {
        "source_client_error" => {
            "The source answers, but not with this picture: look at the URL, and whether it needs \
             a sign-in. A retry helps only if the source has changed."
        }
        "dns_failed" => "The name of the host leads nowhere. Look for a misspelling.",
        "forbidden_source" => {
            "The address is not one that may be fetched. Private networks are opened by \
             ALLOWED_SOURCE_NETWORKS."
        }
        "unsupported_format" | "empty_source" => {
            "What the source sent is no picture that is read here; often it is a page of HTML."
        }
        "corrupt_image" => "The file breaks its format. Only another file helps.",
        "source_too_large" | "image_too_large" | "output_too_large" => {
            "It is larger than the limits of the settings allow."
        }
        "origin_unavailable"
        | "connection_failed"
        | "source_timeout"
        | "source_server_error"
        | "rate_limited" => "The source was not well. A retry helps once it is well again.",
        "storage_failed" => "The storage of this service could not be written: look at its disk.",
        "poison" => "The worker process died in every attempt. Please report the picture.",
        _ => return None,
    })
}
