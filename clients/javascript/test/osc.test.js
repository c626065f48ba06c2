// The codec, against bytes that are written out in OSC 1.0 and against itself.

import assert from "node:assert/strict";
import { test } from "node:test";

import { bundle, decode, encode, float, int } from "../../../unison_engine/panel/osc.js";

const bytes = (text) => Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));

test("the examples of the specification are written and read to the byte", () => {
  const example = bytes("2f6f7363696c6c61746f722f342f6672657175656e6379002c66000043dc0000");
  assert.deepEqual(encode("/oscillator/4/frequency", [float(440)]), example);
  assert.deepEqual(decode(example), [{ address: "/oscillator/4/frequency", args: [440] }]);
  const second = bytes("2f666f6f000000002c6969736666000000" + "0003e8ffffffff68656c6c6f0000003f9df3b640b5b22d");
  assert.deepEqual(encode("/foo", [1000, -1, "hello", float(1.234), float(5.678)]), second);
});

test("values come back as they were sent", () => {
  const args = ["grüße, 雨", "", 0, -1, 2 ** 31 - 1, 4.3, 0.1, 1e-7, 3e9, new Uint8Array([1, 2, 3])];
  const [{ address, args: read }] = decode(encode("/a", args));
  assert.equal(address, "/a");
  assert.deepEqual(read, args);
  assert.deepEqual(decode(encode("/b", [true, false, int(3), float(3)]))[0].args, [1, 0, 3, 3]);
});

test("other types are read", () => {
  const packet = bytes("2f610000" + "2c68645446497400");
  const wide = new Uint8Array(packet.length + 24);
  wide.set(packet);
  const view = new DataView(wide.buffer);
  view.setBigInt64(packet.length, -5n);
  view.setFloat64(packet.length + 8, 0.1);
  view.setBigInt64(packet.length + 16, 1n);
  assert.deepEqual(decode(wide), [{ address: "/a", args: [-5n, 0.1, true, false, null, 1n] }]);
  assert.deepEqual(decode(bytes("2f610000")), [{ address: "/a", args: [] }]);
});

test("bundles hold messages and bundles, and a time", () => {
  const inner = bundle([encode("/b", [2])]);
  const packet = bundle([encode("/a", [1]), inner], 1.5);
  assert.deepEqual(decode(packet).map(({ address }) => address), ["/a", "/b"]);
  const view = new DataView(packet.buffer);
  assert.equal(view.getUint32(8), 2_208_988_801);
  assert.equal(view.getUint32(12), 2 ** 31);
  assert.equal(new DataView(inner.buffer).getUint32(12), 1);
});

test("what is no OSC is told as such", () => {
  for (const text of ["", "68656c6c6f000000", "2f61", "2f6100002c690000", "2f6100002c6200007fffffff", "2f6100002c7a0000"]) {
    assert.throws(() => decode(text ? bytes(text) : new Uint8Array()), RangeError, text);
  }
  assert.throws(() => encode("/a", [undefined]), TypeError);
});
