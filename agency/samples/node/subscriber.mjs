// A subscriber in Node 20 with nothing but Node: opens sealed documents, keeps the newest of each case in one file.
//
//   node subscriber.mjs --port 9410 --state state.json
//
// Behind the test port of docs/how-to/subscribe.md. In production hand `take` the records of your Kafka client.

import { createDecipheriv, createHash, createPrivateKey, createPublicKey, diffieHellman } from "node:crypto";
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { createServer } from "node:http";
import { parseArgs } from "node:util";

const CHANGED = "jp.tsunagu.view.changed.v1";
const text = new TextDecoder("utf-8", { fatal: true });

class Poison extends Error {}

// JWE (RFC 7516): ECDH-ES with X25519 agrees on the key, A256GCM seals. Nothing else is opened.
function unsealed(jwe, keys) {
  const parts = jwe.toString("ascii").split(".");
  const [header, encryptedKey, iv, sealed, tag] = parts.map((part) => Buffer.from(part, "base64url"));
  if (parts.length !== 5 || encryptedKey.length !== 0 || iv.length !== 12 || tag.length !== 16) throw new Poison("no JWE");
  const { alg, enc, epk, apu = "", apv = "" } = JSON.parse(text.decode(header));
  if (alg !== "ECDH-ES" || enc !== "A256GCM" || epk?.crv !== "X25519") throw new Poison("another algorithm");
  const publicKey = createPublicKey({ key: epk, format: "jwk" });
  for (const privateKey of keys) {
    try {
      const secret = diffieHellman({ privateKey, publicKey });
      const cipher = createDecipheriv("aes-256-gcm", derived(secret, enc, apu, apv), iv, { authTagLength: 16 });
      cipher.setAAD(Buffer.from(parts[0], "ascii")).setAuthTag(tag);
      return JSON.parse(text.decode(Buffer.concat([cipher.update(sealed), cipher.final()])));
    } catch {
      continue; // it does not say to which key it is sealed
    }
  }
  throw new Poison("it does not open with our keys");
}

// Concat KDF (RFC 7518, 4.6.2), one round: SHA-256 gives the 256 bits that are wanted.
function derived(secret, enc, apu, apv) {
  const number = (n) => Buffer.from(Uint32Array.of(n).buffer).swap32();
  const counted = (bytes) => Buffer.concat([number(bytes.length), bytes]);
  const info = [Buffer.from(enc), Buffer.from(apu, "base64url"), Buffer.from(apv, "base64url")].map(counted);
  return createHash("sha256").update(Buffer.concat([number(1), secret, ...info, number(256)])).digest();
}

// RFC 8785: members sorted, no white space. JSON.stringify writes numbers and strings as it asks.
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const members = Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`);
  return `{${members.join(",")}}`;
}

const digest = (document) => createHash("sha256").update(canonical(document)).digest("hex");

// The copy: content, place and what was kept aside are one file, written whole and put in place by one rename.
class Copy {
  constructor(path) {
    this.path = path;
    this.state = existsSync(path)
      ? JSON.parse(readFileSync(path, "utf8"))
      : { next: 0, upToDateAt: null, documents: {}, refused: {}, toConfirm: {} };
  }

  take(records, keys) {
    const state = structuredClone(this.state);
    const taken = [];
    for (const record of records) {
      try {
        if (apply(state, record, keys)) taken.push(record.key);
      } catch (error) {
        state.refused[record.key ?? ""] = error.message; // not an end: what we have of it stays
      }
      state.next = record.offset + 1;
    }
    this.write(state);
    return taken;
  }

  write(state) {
    const file = openSync(`${this.path}.new`, "w", 0o600);
    writeSync(file, JSON.stringify(state));
    fsyncSync(file);
    closeSync(file);
    renameSync(`${this.path}.new`, this.path);
    this.state = state;
  }
}

function apply(state, { key, value, headers }, keys) {
  if (key === "_heartbeat") {
    const beat = JSON.parse(value);
    if (!beat.paused) state.upToDateAt = beat.at; // while paused something may be held back
    return false;
  }
  if (headers.ce_type !== CHANGED) throw new Poison("another type");
  const [version, edition] = [number(headers.ce_version), number(headers.ce_edition)];
  const document = value && unsealed(value, keys);
  if (document && (document.handle !== key || document.document !== version)) throw new Poison("of another case");
  const had = state.documents[key];
  if (had && !newer([version, edition, document === null], [had.version, had.edition, had.document === null])) {
    return false;
  }
  const left = had?.document?.items.some(({ item }) => !document?.items.some((kept) => kept.item === item));
  if (document && (left || (!had && version > 1))) state.toConfirm[key] = version;
  state.documents[key] = { version, edition, document };
  delete state.refused[key];
  return true;
}

function number(header) {
  if (!/^[0-9]{1,9}$/.test(header ?? "")) throw new Poison("no number");
  return Number(header);
}

// A tombstone bears the numbers of what it ends, so it comes after it.
function newer(one, other) {
  const at = one.findIndex((part, n) => part !== other[n]);
  return at >= 0 && one[at] > other[at];
}

// The test port.
const { values: given } = parseArgs({ options: { port: { type: "string" }, state: { type: "string" } } });
const copy = new Copy(given.state);
let keys = [];

function shown({ next, upToDateAt, documents, refused, toConfirm }) {
  const held = Object.entries(documents).map(([handle, { version, edition, document }]) => ({
    handle, document: version, edition, digest: document && digest(document),
  }));
  return { next, up_to_date_at: upToDateAt, documents: held, refused: Object.keys(refused), to_confirm: Object.keys(toConfirm) };
}

function answered(call, body) {
  switch (call) {
    case "PUT /keys":
      keys = body.keys.map((key) => createPrivateKey({ key, format: "jwk" }));
      return {};
    case "POST /records": {
      const opened = ({ value, ...record }) => ({ ...record, value: value === null ? null : Buffer.from(value, "base64") });
      return { taken: copy.take(body.records.map(opened), keys) };
    }
    case "GET /copy":
      return shown(copy.state);
  }
}

createServer(async (request, response) => {
  try {
    const chunks = await request.toArray();
    const body = chunks.length ? JSON.parse(Buffer.concat(chunks)) : null;
    const answer = answered(`${request.method} ${request.url}`, body);
    response.writeHead(answer ? 200 : 404).end(JSON.stringify(answer ?? {}));
  } catch {
    response.destroy(); // the connection was cut in mid-batch: nothing was taken
  }
}).listen(Number(given.port), "127.0.0.1");
