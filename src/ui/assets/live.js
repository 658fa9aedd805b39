// Keeps a part of the page as it is on the server.
//
// <div id="…" data-refresh="URL" data-events="URL" data-state="id">, the last two if wanted: the
// page at data-refresh is fetched when data-events (Server-Sent Events) sends an event, and now and
// then, and the children that have changed are exchanged. Children of an element with data-keyed stay the same elements as
// long as they have the same id, so that pictures are not loaded again.

const SOON = 250;
const USUAL = 2500;
// After a refresh, however many events come.
const PAUSE = 1000;

class Live {
  constructor(root) {
    this.root = root;
    this.state = document.getElementById(root.dataset.state);
    this.known = new Map();
    for (const child of root.children) this.known.set(child.id, child.outerHTML);
    document.addEventListener("visibilitychange", () => this.follow());
    this.follow();
  }

  // A hidden page holds no connection.
  follow() {
    this.events?.close();
    this.events = null;
    clearTimeout(this.timer);
    if (document.hidden || this.ended) return;
    this.soon(USUAL);
    if (!this.root.dataset.events) return;
    this.events = new EventSource(this.root.dataset.events);
    this.events.onopen = () => this.say("live", "Live");
    this.events.onerror = () => this.say("lost", "Connection lost; trying again");
    const types = ["image.completed", "image.failed", "image.cancelled", "batch.finished", "reset", "end"];
    for (const type of types) this.events.addEventListener(type, () => this.soon(SOON));
    this.events.addEventListener("end", () => this.events?.close());
  }

  say(kind, text) {
    if (!this.state || this.state.textContent === text) return;
    this.state.hidden = false;
    this.state.className = `live ${kind}`;
    this.state.textContent = text;
  }

  // At most one refresh at a time; one that is due sooner counts.
  soon(delay) {
    if (this.busy) {
      this.wanted = Math.min(this.wanted, delay);
      return;
    }
    const due = performance.now() + delay;
    if (this.timer && this.due <= due) return;
    clearTimeout(this.timer);
    this.due = due;
    this.timer = setTimeout(() => this.refresh(), delay);
  }

  async refresh() {
    this.timer = null;
    this.due = Infinity;
    this.wanted = USUAL;
    this.busy = true;
    try {
      const answer = await fetch(this.root.dataset.refresh, { headers: { "HX-Request": "true" } });
      if (answer.headers.has("HX-Redirect")) {
        location.assign(answer.headers.get("HX-Redirect"));
        return;
      }
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.getElementById(this.root.id);
        if (fresh) this.exchange(fresh);
        if (fresh && !fresh.dataset.refresh) return this.end();
      }
    } catch {
      // The events say that the connection is lost.
    } finally {
      this.busy = false;
    }
    if (!document.hidden) this.soon(Math.max(this.wanted, PAUSE));
  }

  exchange(fresh) {
    for (const child of [...fresh.children]) {
      const html = child.outerHTML;
      if (this.known.get(child.id) === html) continue;
      this.known.set(child.id, html);
      const old = document.getElementById(child.id);
      if (!old) this.root.append(document.adoptNode(child));
      else if (old.querySelector("[data-keyed]")) exchangeKeyed(old, child);
      else old.replaceWith(document.adoptNode(child));
    }
    this.root.dispatchEvent(new Event("page:changed", { bubbles: true }));
  }

  // What it shows changes no more.
  end() {
    this.events?.close();
    this.events = null;
    this.ended = true;
  }
}

function exchangeKeyed(old, fresh) {
  old.hidden = fresh.hidden;
  const list = old.querySelector("[data-keyed]");
  const items = [...fresh.querySelector("[data-keyed]").children].map((item) => {
    const known = document.getElementById(item.id);
    if (!known) return document.adoptNode(item);
    const time = item.querySelector("time");
    known.querySelector("time")?.replaceWith(document.adoptNode(time));
    return known;
  });
  // Those that stay are not taken out: that would load their pictures again.
  const staying = new Set(items);
  for (const item of [...list.children]) if (!staying.has(item)) item.remove();
  let place = list.firstElementChild;
  for (const item of items) {
    if (item === place) place = place.nextElementSibling;
    else list.insertBefore(item, place);
  }
}

for (const root of document.querySelectorAll("[data-refresh]")) new Live(root);
