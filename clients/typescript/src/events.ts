// Server-Sent Events, as far as ThumbForge sends them.

export interface StreamEvent {
  /** e.g. `image.completed`, `snapshot` or `reset`. */
  type: string;
  /** Where to go on after it. */
  id: string;
  /** The decoded JSON. */
  data: unknown;
  /** Milliseconds after which the server asks to come back. */
  retry?: number;
}

/**
 * Milliseconds of silence after which a stream counts as broken; the service sends a comment each
 * 15 seconds.
 */
const LONGEST_SILENCE = 60_000;

/** The events of one stream. A block without data, which asks for a pause, has no type. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await nextPiece(reader);
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      const blocks = rest.split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const event = read(block);
        if (event) yield event;
      }
    }
  } finally {
    // Also when the reader of the events has had enough.
    await reader.cancel().catch(() => undefined);
  }
}

async function nextPiece(reader: ReadableStreamDefaultReader<Uint8Array>) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    const broken = () => reject(new DOMException("the stream is silent", "TimeoutError"));
    timer = setTimeout(broken, LONGEST_SILENCE);
  });
  try {
    return await Promise.race([reader.read(), silence]);
  } finally {
    clearTimeout(timer);
  }
}

function read(block: string): StreamEvent | null {
  let [type, id] = ["", ""];
  let retry: number | undefined;
  const data: string[] = [];
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") type = value;
    else if (field === "id") id = value;
    else if (field === "data") data.push(value);
    else if (field === "retry" && /^\d+$/.test(value)) retry = Number(value);
  }
  const pause = retry === undefined ? {} : { retry };
  if (data.length || type) {
    return { type: type || "message", id, data: JSON.parse(data.join("\n") || "null"), ...pause };
  }
  return retry === undefined ? null : { type: "", id, data: null, ...pause };
}
