// OSC 1.0 packets to messages and back (opensoundcontrol.org/spec-1_0): big-endian, everything padded to four bytes.

const BUNDLE = "#bundle";
const NTP_TO_UNIX = 2_208_988_800; // Seconds from 1 January 1900 to 1970.
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A number that travels as int32, although 3 and 3.0 are one value in JavaScript. */
export const int = (value) => ({ tag: "i", value });
/** A number that travels as float32. */
export const float = (value) => ({ tag: "f", value });

/**
 * The packet of one message.
 *
 * Whole numbers of 32 bits go as i and others as f; texts as s, bytes as b, true and false as i 1 and 0, since small
 * programs know neither T nor F. `int` and `float` choose for themselves.
 *
 * @param {string} address such as /unison/ping
 * @param {Array<string|number|boolean|Uint8Array|{tag: string, value: number}>} args
 * @returns {Uint8Array}
 */
export function encode(address, args = []) {
  const tagged = args.map(tag);
  const parts = [text(address), text("," + tagged.map(([letter]) => letter).join("")), ...tagged.map(payload)];
  return join(parts);
}

/**
 * A bundle of messages that are to be run at a Unix time in seconds; without one, now.
 *
 * @param {Uint8Array[]} packets messages or bundles
 * @param {number} [at]
 */
export function bundle(packets, at) {
  const head = new DataView(new ArrayBuffer(8));
  const seconds = at === undefined ? 0 : Math.floor(at) + NTP_TO_UNIX;
  head.setUint32(0, seconds);
  head.setUint32(4, at === undefined ? 1 : Math.floor((at % 1) * 2 ** 32));
  const parts = [text(BUNDLE), new Uint8Array(head.buffer)];
  for (const packet of packets) parts.push(int32(packet.length), packet);
  return join(parts);
}

/**
 * Messages of a packet in order, those of bundles included.
 *
 * @param {ArrayBuffer|Uint8Array} packet
 * @returns {Array<{address: string, args: Array<string|number|boolean|bigint|Uint8Array|null>}>}
 * @throws {RangeError} it is not OSC
 */
export function decode(packet) {
  const bytes = packet instanceof Uint8Array ? packet : new Uint8Array(packet);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [head, start] = readText(bytes, 0);
  if (head === BUNDLE) return readBundle(bytes, view, start + 8);
  if (!head.startsWith("/")) throw new RangeError(`${JSON.stringify(head)} is neither an OSC address nor a bundle`);
  if (start >= bytes.length) return [{ address: head, args: [] }]; // Old senders leave the types out.
  const [tags, begin] = readText(bytes, start);
  let at = begin;
  const args = [];
  for (const letter of tags.slice(1)) {
    const [value, next] = readArgument(letter, bytes, view, at);
    args.push(value);
    at = next;
  }
  return [{ address: head, args }];
}

function readBundle(bytes, view, start) {
  const messages = [];
  for (let at = start; at < bytes.length; ) {
    const size = view.getInt32(at);
    if (size <= 0 || at + 4 + size > bytes.length) throw new RangeError(`an element of ${size} bytes does not fit`);
    messages.push(...decode(bytes.subarray(at + 4, at + 4 + size)));
    at += 4 + size;
  }
  return messages;
}

function readArgument(letter, bytes, view, at) {
  switch (letter) {
    case "i":
      return [view.getInt32(at), at + 4];
    case "f":
      return [shortest(view.getFloat32(at)), at + 4];
    case "d":
      return [view.getFloat64(at), at + 8];
    case "h":
    case "t":
      return [view.getBigInt64(at), at + 8];
    case "s":
    case "S":
      return readText(bytes, at);
    case "b": {
      const size = view.getInt32(at);
      if (size < 0 || at + 4 + size > bytes.length) throw new RangeError(`a blob of ${size} bytes does not fit`);
      return [bytes.slice(at + 4, at + 4 + size), at + 4 + padded(size)];
    }
    case "T":
    case "F":
      return [letter === "T", at];
    case "N":
    case "I":
      return [null, at];
    default:
      throw new RangeError(`arguments of type ${JSON.stringify(letter)} are not read here`);
  }
}

// A float32 stands for the shortest decimal that yields it: 4.3 was meant, not 4.300000190734863.
function shortest(value) {
  for (let digits = 6; digits < 9; digits++) {
    const decimal = Number(value.toPrecision(digits));
    if (Math.fround(decimal) === value) return decimal;
  }
  return value;
}

function readText(bytes, start) {
  const end = bytes.indexOf(0, start);
  if (end < 0) throw new RangeError("a text has no end");
  return [decoder.decode(bytes.subarray(start, end)), start + padded(end - start + 1)];
}

function tag(value) {
  if (typeof value === "string") return ["s", value];
  if (typeof value === "boolean") return ["i", Number(value)];
  if (typeof value === "number") return [Number.isInteger(value) && value === (value | 0) ? "i" : "f", value];
  if (value instanceof Uint8Array) return ["b", value];
  if (value && "if".includes(value.tag)) return [value.tag, value.value];
  throw new TypeError(`${JSON.stringify(value)} cannot be sent; give a text, a number, true, false or bytes`);
}

function payload([letter, value]) {
  if (letter === "s") return text(value);
  if (letter === "i") return int32(value);
  if (letter === "b") return join([int32(value.length), value, new Uint8Array(padded(value.length) - value.length)]);
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return new Uint8Array(view.buffer);
}

function text(value) {
  const plain = encoder.encode(value.replaceAll("\0", ""));
  const bytes = new Uint8Array(padded(plain.length + 1));
  bytes.set(plain);
  return bytes;
}

function int32(value) {
  const view = new DataView(new ArrayBuffer(4));
  view.setInt32(0, value);
  return new Uint8Array(view.buffer);
}

function join(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const padded = (length) => Math.ceil(length / 4) * 4;
