// Server-sent events from a stream of bytes, as the HTML standard parses them. Pure, but for the clock's fetch in live/.

/** @typedef {{id: string, event: string, data: string}} ServerEvent */

/** Feed it text as it comes; it answers the events that are whole. https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream */
export class EventParser {
  #rest = "";
  #data = /** @type {string[]} */ ([]);
  #event = "";
  #first = true;
  id = "";
  /** What the server asks to wait before the next try, in milliseconds; 0 if it did not. */
  retry = 0;

  /** @param {string} text @returns {ServerEvent[]} */
  feed(text) {
    /** @type {ServerEvent[]} */ const events = [];
    let buffer = this.#rest + text;
    if (this.#first && buffer) {
      this.#first = false;
      if (buffer.startsWith("\uFEFF")) buffer = buffer.slice(1);
    }
    let at = 0;
    for (;;) {
      const end = buffer.slice(at).search(/\r|\n/);
      if (end < 0) break;
      const stop = at + end;
      if (buffer[stop] === "\r" && stop + 1 === buffer.length) break; // its line feed may still come
      const found = this.#line(buffer.slice(at, stop));
      if (found) events.push(found);
      at = stop + (buffer[stop] === "\r" && buffer[stop + 1] === "\n" ? 2 : 1);
    }
    this.#rest = buffer.slice(at);
    return events;
  }

  /** @param {string} line @returns {ServerEvent | null} */
  #line(line) {
    if (line === "") {
      const found = this.#data.length ? { id: this.id, event: this.#event || "message", data: this.#data.join("\n") } : null;
      [this.#data, this.#event] = [[], ""];
      return found;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return null;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#event = value;
    else if (field === "id" && !value.includes("\0")) this.id = value;
    else if (field === "retry" && /^\d+$/.test(value)) this.retry = Number(value);
    return null;
  }
}

/** Wait before try number `attempt` (from 0): doubles up to half a minute, with chance in it so that pages do not come back all at once. @param {number} attempt @param {number} chance 0..1 */
export const backoff = (attempt, chance) => Math.min(30_000, 500 * 2 ** attempt) * (0.5 + chance / 2);
