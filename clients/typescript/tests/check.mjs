// Drives the client against a running service; tests/it/client/libraries.rs starts both.
// It says RESTART and waits for a line while the service is started anew.

import assert from "node:assert/strict";
import { createInterface } from "node:readline/promises";
import { pathToFileURL } from "node:url";

const { ApiError, JobFailed, ThumbForge, WebhookError, verifyWebhook } = await import(
  pathToFileURL(process.env.CLIENT)
);
const client = new ThumbForge({ server: process.env.SERVER });
const origin = process.env.ORIGIN;

async function thrown(kind, promise) {
  const error = await promise.then(() => null, (error) => error);
  assert.ok(error instanceof kind, `no ${kind.name}: ${error}`);
  return error;
}

// Jobs.
const job = await client.wait(await client.submit({ url: `${origin}/a.jpg`, tags: ["script"] }));
assert.equal(job.result.width, 64);
assert.deepEqual([...(await client.getThumbnail(job.id)).slice(0, 2)], [0xff, 0xd8]);
const failed = await thrown(JobFailed, client.submit(`${origin}/missing.jpg`).then((j) => client.wait(j)));
assert.equal(failed.job.error_code, "source_client_error");
const listed = await client.listImages({ tag: "script", limit: 5 });
assert.deepEqual(listed.items.map((item) => item.id), [job.id]);
const later = await client.submit({ url: `${origin}/a.jpg`, not_before: "2030-01-01T00:00:00Z" });
await thrown(Error, client.wait(later, { signal: AbortSignal.timeout(300) }));
assert.equal((await client.cancelImage(later.id)).status, "cancelled");
assert.equal(await client.deleteImage(later.id), undefined);

// Idempotency.
const once = () => client.submit(`${origin}/a.jpg`, { idempotencyKey: "js-1" });
assert.equal((await once()).id, (await once()).id);

// Errors.
const refused = await thrown(ApiError, client.submit("ftp://example.org/a.jpg"));
assert.deepEqual([refused.status, refused.code], [422, "invalid_url"]);
assert.match(refused.message, /#\/url/);
assert.equal((await thrown(ApiError, client.showImage("../metrics"))).code, "invalid_job_id");
const nobody = new ThumbForge({ server: "http://127.0.0.1:9", retryFor: 0 });
await thrown(TypeError, nobody.getMetrics());

// Batches: JSON, and lines from a stream.
const items = [{ url: `${origin}/a.jpg` }, { url: "ftp://x" }];
const batch = await client.submitBatch({ items });
assert.equal(batch.errors[0].code, "invalid_url");
let last;
for await (const event of client.events({ batch: batch.id, after: 0 })) last = event;
assert.deepEqual([last.type, last.data.data.id], ["batch.finished", batch.id]);
const lines = [1, 2].map((n) => JSON.stringify({ url: `${origin}/a.jpg?${n}` }) + "\n");
const stream = new Blob(lines).stream();
assert.equal((await client.submitBatch(stream)).counts.total, 2);

// Events, and the same stream after a restart.
const next = async (events) => (await events.next()).value;
const events = client.events({ types: ["image.failed"] });
assert.equal((await next(events)).type, "snapshot");
const gone = await client.submit(`${origin}/gone.jpg`);
const seen = await next(events);
assert.deepEqual([seen.type, seen.data.data.id], ["image.failed", gone.id]);
console.log("RESTART");
const input = createInterface({ input: process.stdin });
await new Promise((resolve) => input.once("line", resolve));
input.close();
const again = await client.submit(`${origin}/gone.jpg`);
assert.equal((await next(events)).data.data.id, again.id);
await events.return();
const after = client.events({ types: ["image.failed"], after: seen.id });
assert.equal((await next(after)).data.data.id, again.id);
await after.return();

// Webhooks: a real delivery.
const { secret, headers, body } = JSON.parse(process.env.DELIVERY);
assert.equal((await verifyWebhook(secret, headers, body)).type, "webhook.test");
const two = { ...headers, "Webhook-Signature": "v1,AAAA v2,x " + headers["webhook-signature"] };
delete two["webhook-signature"];
await verifyWebhook(secret, two, new TextEncoder().encode(body));
await thrown(WebhookError, verifyWebhook(secret, headers, body + " "));
await thrown(WebhookError, verifyWebhook("whsec_AAAA", headers, body));
await thrown(WebhookError, verifyWebhook("whsec_", headers, body));
await thrown(WebhookError, verifyWebhook(secret, {}, body));
for (const shift of [-301, 301]) {
  const now = new Date((Number(headers["webhook-timestamp"]) + shift) * 1000);
  await thrown(WebhookError, verifyWebhook(secret, headers, body, { now }));
}
console.log("DONE");
