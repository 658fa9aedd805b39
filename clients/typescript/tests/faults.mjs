// Drives the client against servers that fail; tests/it/client/libraries.rs starts it.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

const { ApiError, ThumbForge } = await import(pathToFileURL(process.env.CLIENT));
const JOB = { id: "1", status: "completed", url: "http://a/b.jpg" };

async function thrown(kind, promise) {
  const error = await promise.then(() => null, (error) => error);
  assert.ok(error instanceof kind, `no ${kind.name}: ${error}`);
  return error;
}

/** A `fetch` that answers with each of `replies` in turn; the last one stays. */
function faked(...replies) {
  const asked = [];
  const fetch = async (url, init) => {
    asked.push({ url: String(url), ...init });
    return replies[Math.min(asked.length, replies.length) - 1](init);
  };
  return { asked, fetch };
}

const good = () => Response.json(JOB);
const silence = ({ signal }) =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
const problem = (body) => () =>
  new Response(body, { status: 500, headers: { "Content-Type": "application/problem+json" } });

// A call that got no answer in time is made again: its own time does not count.
{
  const { asked, fetch } = faked(silence, good);
  const client = new ThumbForge({ fetch, timeout: 1000, retryFor: 1000 });
  // `AbortSignal.timeout` alone does not keep the program running.
  const running = setInterval(() => {}, 1000);
  assert.deepEqual(await client.submit("http://a/b.jpg"), JOB);
  clearInterval(running);
  assert.equal(asked.length, 2);
  const keys = asked.map((request) => request.headers.get("Idempotency-Key"));
  assert.equal(keys[0], keys[1]);
}

// A redirect is an error: it is neither followed nor asked for again.
{
  const paths = [];
  const server = createServer((request, response) => {
    paths.push(request.url);
    response.writeHead(308, { Location: "/elsewhere" }).end();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = `http://127.0.0.1:${server.address().port}`;
  const client = new ThumbForge({ server: address, apiKey: "k" });
  const refused = await thrown(ApiError, client.showImage("1"));
  assert.deepEqual([refused.status, refused.problem], [308, null]);
  assert.deepEqual(paths, ["/v1/images/1"]);
  server.close();
  server.closeAllConnections();
}

// A mistake of the caller is no failure of the network.
{
  const { asked, fetch } = faked(good);
  await thrown(TypeError, new ThumbForge({ fetch, server: "nonsense" }).getMetrics());
  await thrown(TypeError, new ThumbForge({ fetch, apiKey: "two\nlines" }).getMetrics());
  const metadata = {};
  metadata.itself = metadata;
  await thrown(TypeError, new ThumbForge({ fetch }).submit({ url: "http://a/b.jpg", metadata }));
  const following = new ThumbForge({ fetch, apiKey: "two\nlines" }).events();
  await thrown(TypeError, following.next());
  assert.equal(asked.length, 0);
}

// What the network does is tried again, also while the body is read.
{
  const broken = () => {
    throw new TypeError("fetch failed");
  };
  const tear = (stream) => stream.error(new TypeError("terminated"));
  const torn = () => new Response(new ReadableStream({ pull: tear }));
  const { asked, fetch } = faked(broken, torn, good);
  assert.deepEqual(await new ThumbForge({ fetch }).showImage("1"), JOB);
  assert.equal(asked.length, 3);
}

// A silent stream is opened again after the last event.
{
  const event = (text) => new TextEncoder().encode(`retry: 0\n${text}\n\n`);
  const stream = (text) => () =>
    new Response(new ReadableStream({ start: (body) => body.enqueue(event(text)) }));
  const [first, second] = [stream("event: a\nid: 7\ndata: 1"), stream("event: b\nid: 8\ndata: 2")];
  const { asked, fetch } = faked(first, second);
  const { setTimeout: after } = globalThis;
  globalThis.setTimeout = (call, delay) => after(call, delay >= 60_000 ? 10 : delay);
  const events = new ThumbForge({ fetch }).events();
  assert.equal((await events.next()).value.type, "a");
  assert.equal((await events.next()).value.type, "b");
  assert.equal(asked[1].headers.get("Last-Event-ID"), "7");
  await events.return();
  globalThis.setTimeout = after;
}

// An answer is held back for at most half of the time that a call has.
for (const [timeout, wait] of [[60_000, 25], [20_000, 10], [1000, 0]]) {
  const { asked, fetch } = faked(good);
  await new ThumbForge({ fetch, timeout }).wait("1");
  assert.ok(asked[0].url.endsWith(`/v1/images/1?wait=${wait}`), asked[0].url);
}

// No word leads out of its part of the path.
for (const [id, shown] of [["..", "-"], [".", "-"], ["", "-"], ["a/b", "a%2Fb"]]) {
  const { asked, fetch } = faked(good, () => new Response(null, { status: 204 }));
  const client = new ThumbForge({ fetch });
  await client.cancelImage(id);
  await client.events({ job: id }).next();
  await client.events({ batch: id }).next();
  const paths = asked.map(({ url }) => new URL(url).pathname);
  const expected = ["images/-/cancel", "images/-/events", "batches/-/events"];
  assert.deepEqual(paths, expected.map((path) => `/v1/${path.replace("-", shown)}`));
}

// Problems of others, e.g. of a proxy.
const foreign = ['{"title": "Bad Gateway"}', '{"code": 7, "detail": "x"}'];
for (const body of ["<html>", "[]", "null", ...foreign]) {
  const { fetch } = faked(problem(body));
  const refused = await thrown(ApiError, new ThumbForge({ fetch }).submit("http://a/b.jpg"));
  assert.deepEqual([refused.status, refused.code, refused.problem], [500, "", null], body);
}
{
  const { fetch } = faked(problem('{"code": "x", "detail": "Broken", "errors": {"a": ["b"]}}'));
  const refused = await thrown(ApiError, new ThumbForge({ fetch }).getMetrics());
  assert.equal(refused.message, "Broken (x)");
}
console.log("DONE");
