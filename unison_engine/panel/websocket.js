// The WebSocket of Node before version 22, which has none of its own: what `unison.js` needs of RFC 6455, no more.

import { createHash, randomBytes } from "node:crypto";
import { request as http } from "node:http";
import { request as https } from "node:https";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455, 1.3.
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/** As in browsers: `send`, `close`, `readyState`, and onopen, onmessage, onclose, onerror. */
export class WebSocket {
  onopen = null;
  onmessage = null;
  onclose = null;
  onerror = null;
  readyState = 0;
  #socket = null;
  #waiting = Buffer.alloc(0);
  #message = [];
  #kind = 0;

  constructor(url) {
    const key = randomBytes(16).toString("base64");
    const target = new URL(url.replace(/^ws/, "http"));
    const ask = (target.protocol === "https:" ? https : http)(target, {
      headers: { Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": 13, "Sec-WebSocket-Key": key },
    });
    ask.on("upgrade", (response, socket, head) => {
      const expected = createHash("sha1").update(key + GUID).digest("base64");
      if (response.headers["sec-websocket-accept"] !== expected) {
        socket.destroy();
        this.#fail(new Error("the server does not speak WebSocket"));
        return;
      }
      this.#socket = socket;
      this.readyState = 1;
      socket.setNoDelay(true);
      socket.on("data", (data) => this.#read(data));
      socket.on("close", () => this.#end());
      socket.on("error", (error) => this.onerror?.(error));
      this.onopen?.();
      if (head.length) this.#read(head);
    });
    ask.on("response", (response) => {
      response.resume();
      this.#fail(new Error(`the server answered ${response.statusCode}`));
    });
    ask.on("error", (error) => this.#fail(error));
    ask.end();
  }

  send(data) {
    const binary = typeof data !== "string";
    this.#write(binary ? BINARY : TEXT, binary ? Buffer.from(data) : Buffer.from(data, "utf8"));
  }

  close() {
    if (this.readyState !== 1) return;
    this.readyState = 2;
    this.#write(CLOSE, Buffer.from([0x03, 0xe8])); // 1000: it is done.
    this.#socket.end();
  }

  #write(kind, payload) {
    const size = payload.length;
    const length = size < 126 ? Buffer.from([0x80 | size]) : size < 65_536 ? Buffer.alloc(3) : Buffer.alloc(9);
    if (size >= 126) length[0] = 0x80 | (size < 65_536 ? 126 : 127);
    if (length.length === 3) length.writeUInt16BE(size, 1);
    if (length.length === 9) length.writeBigUInt64BE(BigInt(size), 1);
    const mask = randomBytes(4); // What clients send is masked, 5.3.
    const masked = payload.map((byte, at) => byte ^ mask[at & 3]);
    this.#socket.write(Buffer.concat([Buffer.from([0x80 | kind]), length, mask, masked]));
  }

  #read(data) {
    this.#waiting = Buffer.concat([this.#waiting, data]);
    for (let frame = this.#frame(); frame; frame = this.#frame()) {
      const [last, kind, payload] = frame;
      if (kind === PING) this.#write(PONG, payload);
      else if (kind === CLOSE) {
        this.close();
        this.#socket.end();
      } else if (kind <= BINARY) {
        this.#kind = kind || this.#kind; // 0 goes on with the message that was begun.
        this.#message.push(payload);
        if (last) this.#deliver();
      }
    }
  }

  #deliver() {
    const whole = Buffer.concat(this.#message);
    this.#message = [];
    const data = this.#kind === TEXT ? whole.toString("utf8") : new Uint8Array(whole);
    this.onmessage?.({ data });
  }

  #frame() {
    const bytes = this.#waiting;
    if (bytes.length < 2) return null;
    const short = bytes[1] & 0x7f;
    const head = short === 126 ? 4 : short === 127 ? 10 : 2;
    if (bytes.length < head) return null;
    const size = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
    if (bytes.length < head + size) return null;
    this.#waiting = bytes.subarray(head + size);
    return [Boolean(bytes[0] & 0x80), bytes[0] & 0x0f, bytes.subarray(head, head + size)];
  }

  #fail(error) {
    this.readyState = 3;
    this.onerror?.(error);
  }

  #end() {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose?.();
  }
}
