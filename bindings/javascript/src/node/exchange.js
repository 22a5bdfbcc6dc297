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

/** Where the empty line begins; -1: it has not come. @param {Uint8Array} data */
function endOfHead(data) {
  return latin1(data.subarray(0, HEAD_SIZE_MAX)).indexOf("\r\n\r\n");
}

/** The answer, once it is whole. @returns {{status: number, body: Uint8Array, close: boolean} | null} */
function readAnswer(data, limit) {
  const end = endOfHead(data);
  if (end < 0) return data.length > HEAD_SIZE_MAX ? malformed("its answer's head is too long") : null;
  const head = readHead(latin1(data.subarray(0, end)), limit);
  const body = data.subarray(end + 4);
  if (body.length > head.size) malformed("there is more behind its answer");
  return body.length === head.size ? { status: head.status, body, close: head.close } : null;
}

/** What comes until the answer is whole. @param {import("node:tls").TLSSocket} socket */
function receive(socket, limit, deadline) {
  return new Promise((resolve, reject) => {
    let data = new Uint8Array();
    const over = (settle, value) => {
      clearTimeout(timer);
      socket.off("data", onData).off("end", onEnd).off("error", onEnd).off("close", onEnd);
      socket.pause();
      settle(value);
    };
    const onData = (chunk) => {
      data = concat(data, chunk);
      try {
        const answer = readAnswer(data, limit);
        if (answer) over(resolve, answer);
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
  const { status, body, close } = await answer;
  if (close) socket.destroy();
  if (status >= 500 || status === 408 || status === 429) throw new NoAnswer(`${path}: it answers ${status} now`);
  if (status === 404) return null;
  return status === 200 ? body : malformed(`${path}: it answers ${status}`);
}
