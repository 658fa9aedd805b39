// Webhooks, signed as Standard Webhooks 1.0.0 says.

import type { BatchEvent, ImageEvent } from "./operations.js";

/** The sender does not know the secret, or the request is too old. Answer it with 400. */
export class WebhookError extends Error {
  override name = "WebhookError";
}

type HeaderSource = Headers | Record<string, string | string[] | undefined>;

/**
 * The event, if a signature is right and at most `tolerance` seconds old (300).
 *
 * `body` is what arrived, byte for byte, not decoded and encoded again. An event may arrive twice:
 * drop an `id` that was seen.
 */
export async function verifyWebhook(
  secret: string,
  headers: HeaderSource,
  body: string | Uint8Array,
  options: { tolerance?: number; now?: Date } = {},
): Promise<ImageEvent | BatchEvent> {
  const id = header(headers, "webhook-id");
  const timestamp = header(headers, "webhook-timestamp");
  if (!id || !/^\d{1,15}$/.test(timestamp)) {
    throw new WebhookError("webhook-id or webhook-timestamp is missing");
  }
  const now = (options.now ?? new Date()).getTime() / 1000;
  if (Math.abs(now - Number(timestamp)) > (options.tolerance ?? 300)) {
    throw new WebhookError("the timestamp is too far from now");
  }
  const encoder = new TextEncoder();
  const data = typeof body === "string" ? encoder.encode(body) : body;
  const head = encoder.encode(`${id}.${timestamp}.`);
  const signed = new Uint8Array(head.length + data.length);
  signed.set(head);
  signed.set(data, head.length);
  const key = await crypto.subtle.importKey(
    "raw",
    keyOf(secret),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["verify"],
  );
  const given = header(headers, "webhook-signature").split(" ");
  // `verify` takes the same time wherever two signatures differ; all are tried.
  const verdicts = given.map((text) => {
    const signature = text.startsWith("v1,") ? decoded(text.slice(3)) : null;
    return signature ? crypto.subtle.verify("HMAC", key, signature, signed) : false;
  });
  if (!(await Promise.all(verdicts)).includes(true)) {
    throw new WebhookError("no signature is right");
  }
  return JSON.parse(new TextDecoder().decode(data));
}

function keyOf(secret: string): Uint8Array<ArrayBuffer> {
  const key = decoded(secret.replace(/^whsec_/, ""));
  // Anybody could sign with an empty one.
  if (!key?.length) throw new WebhookError("the secret is not whsec_ and base64");
  return key;
}

function decoded(base64: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  } catch {
    return null;
  }
}

function header(headers: HeaderSource, name: string): string {
  if (headers instanceof Headers) return headers.get(name) ?? "";
  const found = Object.entries(headers).find(([known]) => known.toLowerCase() === name);
  const value = found?.[1] ?? "";
  return typeof value === "string" ? value : value.join(" ");
}
