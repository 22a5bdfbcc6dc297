/**
 * One of the server's own pages over a connection that is the caller's, and stays it: one request, of which nothing is
 * read but its answer. Who answers is not known yet, so all of it is bounded, in size and in time.
 */
import { concat, latin1, utf8 } from "../bytes.js";
import { NoAnswer } from "../log.js";
import { malformed } from "../malformed.js";

const HEAD_SIZE_MAX = 16 << 10;

/** {status, size, close} of a head. Throws Malformed. @param {string} head */
function readHead(head, limit) {
  const [first, ...lines] = head.split("\r\n");
  const status = /^HTTP\/1\.1 ([1-5][0-9]{2})(?: |$)/.exec(first);
  if (!status) malformed("its answer is none of HTTP/1.1");
  const field = (name) => {
    const found = lines.filter((line) => line.toLowerCase().startsWith(`${name}:`));
    if (found.length > 1) malformed(`its answer has ${name} twice`);
    return found[0]?.slice(name.length + 1).trim() ?? null;
  };
  const length = field("content-length") ?? "";
  if (!/^[0-9]{1,9}$/.test(length) || Number(length) > limit || field("transfer-encoding") !== null)
    malformed("its answer does not say how long it is, or is too long");
  return { status: Number(status[1]), size: Number(length), close: field("connection")?.toLowerCase() === "close" };
}

/** What has come of an answer. It grows by doubling: a server may send a byte at a time. */
class Answer {
  constructor(limit) {
    this.limit = limit;
    this.data = new Uint8Array(4096);
    this.size = 0;
    this.head = null;
    this.bodyAt = 0;
  }

  /** Takes what has come; true: it is whole. Throws Malformed. @param {Uint8Array} chunk */
  take(chunk) {
    if (this.size + chunk.length > HEAD_SIZE_MAX + this.limit) malformed("its answer is too long");
    while (this.size + chunk.length > this.data.length) this.data = concat(this.data, this.data);
    this.data.set(chunk, this.size);
    const searched = Math.max(0, this.size - 3);
    this.size += chunk.length;
    if (!this.head && !this.#findHead(searched)) return false;
    const length = this.size - this.bodyAt;
    return length > this.head.size ? malformed("there is more behind its answer") : length === this.head.size;
  }

  #findHead(from) {
    const at = latin1(this.data.subarray(from, Math.min(this.size, HEAD_SIZE_MAX))).indexOf("\r\n\r\n");
    if (at < 0) return this.size < HEAD_SIZE_MAX ? false : malformed("its answer's head is too long");
    this.head = readHead(latin1(this.data.subarray(0, from + at)), this.limit);
    this.bodyAt = from + at + 4;
    return true;
  }

  get body() {
    return this.data.slice(this.bodyAt, this.size);
  }
}

/** What comes until the answer is whole. @param {import("node:tls").TLSSocket} socket */
function receive(socket, limit, deadline) {
  return new Promise((resolve, reject) => {
    const answer = new Answer(limit);
    const over = (settle, value) => {
      clearTimeout(timer);
      socket.off("data", onData).off("end", onEnd).off("error", onEnd).off("close", onEnd);
      socket.pause();
      settle(value);
    };
    const onData = (chunk) => {
      try {
        if (answer.take(chunk)) over(resolve, answer);
      } catch (error) {
        over(reject, error);
      }
    };
    const onEnd = () => over(reject, new NoAnswer("the connection ended without a whole answer"));
    const late = () => over(reject, new NoAnswer("no whole answer came in time"));
    const timer = setTimeout(late, Math.max(0, deadline - Date.now()));
    socket.on("data", onData).on("end", onEnd).on("error", onEnd).on("close", onEnd);
    socket.resume();
    if (socket.destroyed) onEnd();
  });
}

/**
 * @param {import("node:tls").TLSSocket} socket @param {string} host @param {number} deadline of Date.now()
 * @param {{path: string, limit: number, json?: string}} what with json it is a POST
 * @returns {Promise<Uint8Array | null>} the page; null: the server has none of that name. Throws Malformed and NoAnswer.
 */
export async function exchange(socket, host, deadline, { path, limit, json }) {
  const answer = receive(socket, limit, deadline);
  const fields = json ? `Content-Type: application/json\r\nContent-Length: ${utf8(json).length}\r\n` : "Accept: */*\r\n";
  socket.write(`${json ? "POST" : "GET"} ${path} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n${json ?? ""}`);
  const {
    head: { status, close },
    body,
  } = await answer;
  if (close) socket.destroy();
  if (status >= 500 || status === 408 || status === 429)
    throw Object.assign(new NoAnswer(`${path}: it answers ${status} now`), { later: true });
  if (status === 404) return null;
  return status === 200 ? body : malformed(`${path}: it answers ${status}`);
}
