//! The curves of what ended.

use super::job_pages::fail;
use super::{html, open};

#[tokio::test(flavor = "multi_thread")]
async fn ends_are_drawn_as_soon_as_they_are_committed() {
    let api = open().await;
    let page = html(&api.get("/ui/flow").await, 200);
    assert!(
        page.contains("0 completed") && page.contains("0 failed"),
        "{page}"
    );
    for number in 0..3 {
        let id = api
            .accepted(&format!("http://a.example/{number}.jpg"))
            .await;
        api.complete(id, b"\xff\xd8 the picture").await;
    }
    fail(&api, "http://a.example/gone.jpg", "it is gone").await;
    for (step, buckets) in [("minute", 60), ("hour", 24), ("day", 30)] {
        let page = html(&api.get(&format!("/ui/flow?step={step}")).await, 200);
        assert!(page.contains(&format!("Ended, by {step}")), "{page}");
        assert!(
            page.contains("3 completed") && page.contains("1 failed"),
            "{page}"
        );
        assert_eq!(
            page.matches("<rect class=\"completed\"").count(),
            buckets,
            "{step}"
        );
        // The newest bucket, or the one before it if a new one has begun.
        assert!(page.contains("3 completed, 1 failed</title>"), "{page}");
        assert_eq!(page.matches("aria-current=\"true\"").count(), 1, "{page}");
    }
    for query in [
        "step=week",
        "from=yesterday",
        "step=minute&from=2001-01-01T00:00:00Z",
    ] {
        html(&api.get(&format!("/ui/flow?{query}")).await, 422);
    }
}
