// A client of ThumbForge, for whatever has fetch: browsers, Node 20.3 and newer, Deno, Bun.

import { readEvents, type StreamEvent } from "./events.js";
import {
  Operations,
  part,
  type Call,
  type Job,
  type Options,
  type Problem,
  type Submission,
} from "./operations.js";

export * from "./operations.js";
export type { StreamEvent } from "./events.js";
export { verifyWebhook, WebhookError } from "./webhooks.js";

/** Seconds that the service is asked to hold an answer back. */
const LONG_POLL = 25;
/** Milliseconds between two looks, if the service answers at once because too many clients wait. */
const SHORT_POLL = 1000;
/** Milliseconds between two tries; each pause is twice the one before. */
const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 15_000;
/** Milliseconds that an answer may take, and a call be made again. */
const TIMEOUT = 60_000;
const RETRY_FOR = 60_000;

/** The service refused. `code` is a stable word; `problem` is null if a proxy answered. */
export class ApiError extends Error {
  override name = "ApiError";
  readonly code: string;

  constructor(
    readonly status: number,
    readonly problem: Problem | null,
    /** In milliseconds. */
    readonly retryAfter: number | null,
  ) {
    const errors = problem?.errors;
    const faults = (Array.isArray(errors) ? errors : []).map((fault) =>
      `${fault?.pointer ?? fault?.parameter ?? ""} ${fault?.detail ?? ""}`.trim(),
    );
    // Browsers hide the status of a redirect.
    const answered = status || "with a redirect";
    const own = problem && `${problem.detail} (${problem.code})`;
    const text = own ?? `the server answered ${answered}`;
    super(faults.length ? `${text}: ${faults.join("; ")}` : text);
    this.code = problem?.code ?? "";
  }
}

/** A job ended other than `completed`. */
export class JobFailed extends Error {
  override name = "JobFailed";

  constructor(readonly job: Job) {
    super(`job ${job.id} ${job.status}: ${job.error ?? job.error_code ?? ""}`);
  }
}

export interface Settings {
  /** By default http://127.0.0.1:8000 */
  server?: string;
  apiKey?: string;
  /**
   * Milliseconds after the first failure of a call for which a busy or silent service is asked
   * again, if that does no harm; by default 60,000.
   */
  retryFor?: number;
  /** Milliseconds for one answer, streams aside; by default 60,000. */
  timeout?: number;
  /** Instead of the global one. */
  fetch?: typeof fetch;
}

/** What to follow: everything, or one job or batch. */
export interface Following {
  job?: string;
  batch?: string;
  types?: string[];
  tag?: string;
  /** Go on after the `id` of an event. */
  after?: string | number;
  signal?: AbortSignal;
}

/** A request, ready to be sent as often as needed. */
interface Prepared {
  url: URL;
  init: RequestInit & { duplex?: "half" };
}

/** One service. */
export class ThumbForge extends Operations {
  readonly #server: string;
  readonly #settings: Settings;

  constructor(settings: Settings = {}) {
    super();
    const server = settings.server ?? "http://127.0.0.1:8000";
    this.#server = server.replace(/\/+$/, "").replace(/\/v1$/, "");
    this.#settings = settings;
  }

  /**
   * Submits an image. It is sent again for `retryFor`, without making a second job. Give a key of
   * your own to have that also when your program starts again.
   */
  submit(
    submission: Submission | string,
    options: Options & { idempotencyKey?: string } = {},
  ): Promise<Job> {
    const body = typeof submission === "string" ? { url: submission } : submission;
    const idempotencyKey = options.idempotencyKey ?? crypto.randomUUID();
    return this.submitImage(body, { ...options, idempotencyKey });
  }

  /** The job when it is completed; a JobFailed is thrown if it ends otherwise. */
  async wait(job: Job | string, options: Options = {}): Promise<Job> {
    const id = typeof job === "string" ? job : job.id;
    // An answer that is held back must come well before the call gives up.
    const longest = Math.floor((this.#settings.timeout ?? TIMEOUT) / 2000);
    const wait = Math.min(LONG_POLL, longest);
    for (;;) {
      const began = Date.now();
      const seen = await this.showImage(id, { ...options, wait });
      if (seen.status === "completed") return seen;
      if (seen.status === "failed" || seen.status === "cancelled") throw new JobFailed(seen);
      if (Date.now() - began < SHORT_POLL) await pause(SHORT_POLL, options.signal);
    }
  }

  /**
   * What ends, as it ends. If the stream breaks off it is opened again after the last event. The
   * stream of a job or batch ends with it.
   */
  async *events(following: Following = {}): AsyncGenerator<StreamEvent> {
    const { job, batch, types, tag, signal } = following;
    let path = "/v1/events";
    let query: Record<string, unknown> = { type: types?.join(","), tag };
    if (job !== undefined) path = `/v1/images/${part(job)}/events`;
    else if (batch !== undefined) path = `/v1/batches/${part(batch)}/events`;
    if (job !== undefined || batch !== undefined) query = {};
    let last = following.after;
    let wait = 3000;
    // A first failure is the caller's to see.
    let hasBegun = false;
    for (;;) {
      const headers = { Accept: "text/event-stream", "Last-Event-ID": last };
      const request = this.#prepared("GET", path, { query, headers });
      try {
        const answer = await this.#send(request, signal ? [signal] : []);
        hasBegun = true;
        if (answer.status === 204 || !answer.body) return;
        for await (const event of readEvents(answer.body)) {
          wait = event.retry ?? wait;
          last = event.id || last;
          if (event.type === "end") return;
          if (event.type) yield event;
        }
      } catch (error) {
        const passes = error instanceof ApiError ? isBusy(error.status) : isBroken(error);
        if (!hasBegun || !passes || signal?.aborted) throw error;
        if (error instanceof ApiError) wait = Math.max(wait, error.retryAfter ?? 0);
      }
      await pause(wait, signal);
    }
  }

  protected async call<T>(method: string, path: string, call: Call): Promise<T> {
    const isStream = call.body instanceof ReadableStream;
    const isSafe =
      !isStream &&
      (method === "GET" || method === "DELETE" || call.headers?.["Idempotency-Key"] !== undefined);
    // Outside of what is tried again: a mistake of the caller stays one.
    const request = this.#prepared(method, path, call);
    // The time counts from the first failure: a call may itself take as long.
    let end: number | undefined;
    for (let next = FIRST_PAUSE; ; next = Math.min(next * 2, LONGEST_PAUSE)) {
      let wait = next;
      try {
        const signals = call.signal ? [call.signal] : [];
        signals.push(AbortSignal.timeout(this.#settings.timeout ?? TIMEOUT));
        const answer = await this.#send(request, signals);
        if (call.answer === "bytes") return new Uint8Array(await answer.arrayBuffer()) as T;
        if (call.answer === "text") return (await answer.text()) as T;
        return (answer.status === 204 ? undefined : await answer.json()) as T;
      } catch (error) {
        if (call.signal?.aborted) throw error;
        if (error instanceof ApiError) {
          const passes = isBusy(error.status) || error.code === "idempotency_key_in_use";
          if (!passes || isStream || !(isSafe || error.status === 429)) throw error;
          wait = Math.max(wait, error.retryAfter ?? 0);
        } else if (!isSafe || !isBroken(error)) {
          throw error;
        }
        end ??= Date.now() + (this.#settings.retryFor ?? RETRY_FOR);
        if (Date.now() + wait > end) throw error;
      }
      await pause(wait, call.signal);
    }
  }

  #prepared(method: string, path: string, call: Call): Prepared {
    const url = new URL(this.#server + path);
    for (const [name, value] of given(call.query)) url.searchParams.set(name, value);
    const headers = new Headers(given(call.headers));
    if (this.#settings.apiKey) headers.set("Authorization", `Bearer ${this.#settings.apiKey}`);
    // The key is for one server, so no redirect is followed.
    const init: Prepared["init"] = { method, headers, redirect: "manual" };
    if (call.body instanceof ReadableStream) {
      headers.set("Content-Type", "application/x-ndjson");
      init.body = call.body;
      init.duplex = "half";
    } else if (call.body !== undefined) {
      headers.set("Content-Type", "application/json");
      init.body = JSON.stringify(call.body);
    }
    return { url, init };
  }

  /** Fails with an ApiError, or with what `fetch` says of the network. */
  async #send({ url, init }: Prepared, signals: AbortSignal[]): Promise<Response> {
    const stops = signals.length ? { signal: AbortSignal.any(signals) } : {};
    const answer = await (this.#settings.fetch ?? fetch)(url, { ...init, ...stops });
    if (answer.ok) return answer;
    const after = answer.headers.get("Retry-After") ?? "";
    const retryAfter = /^\d+$/.test(after) ? Number(after) * 1000 : null;
    throw new ApiError(answer.status, await problemOf(answer), retryAfter);
  }
}

/** Null if the answer is none of ThumbForge's. */
async function problemOf(answer: Response): Promise<Problem | null> {
  const kind = answer.headers.get("Content-Type") ?? "";
  if (!kind.startsWith("application/problem+json")) return null;
  const text = await answer.text();
  try {
    const found = JSON.parse(text) as Partial<Problem> | null;
    const isOwn = typeof found?.code === "string" && typeof found.detail === "string";
    return isOwn ? (found as Problem) : null;
  } catch {
    return null;
  }
}

/** What is neither undefined nor null, as texts. */
function given(values: Record<string, unknown> = {}): [string, string][] {
  const pairs = Object.entries(values).filter(([, value]) => value !== undefined && value !== null);
  return pairs.map(([name, value]) => [name, String(value)]);
}

function isBusy(status: number): boolean {
  return status === 429 || (status >= 502 && status <= 504);
}

/** fetch says TypeError for what the network did, and TimeoutError for what it did not. */
function isBroken(error: unknown): boolean {
  return error instanceof TypeError || (error instanceof Error && error.name === "TimeoutError");
}

function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}
