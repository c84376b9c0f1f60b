// What the vendors' files are made of: a request as senders and receivers see it, and the bodies they carry.
import { Buffer } from 'node:buffer';
import { generateKeyPairSync } from 'node:crypto';

// The address under which a sender knows the endpoint where the address is signed: Belay stands behind something that changes it.
export const kPublicHost = 'https://hooks.example.test';

// JSON that survives as bytes only: a number with a nought, escapes nobody needs, characters of two to four bytes, a line break at its
// end.
export const kBody =
  '{"id":"evt_0001","type":"order.created","amount":10.50,"name":"Zoë – 東京 🚚","path":"a\\/b","esc":"\\u00e9","n": 1e2,"by":"belay"}\n';

// For libraries that are handed the parsed payload and write it as JSON again.
export const kCanonicalBody =
  JSON.stringify({ id: 'evt_0001', type: 'order.created', event: 'order.created', data: { name: 'Zoë 東京 🚚' }, by: 'belay' });

export const seconds = () => Math.floor(Date.now() / 1000).toString();
export const milliseconds = () => Date.now().toString();

// A request that came in: header names in lower case.
export class Webhook {
  constructor({ method = 'POST', url, headers, body }) {
    this.method = method;
    this.url = url;
    this.headers = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
    this.body = Buffer.from(body);
  }
  get text() { return this.body.toString('utf8'); }
  get json() { return JSON.parse(this.text); }
  get form() { return Object.fromEntries(new URLSearchParams(this.text)); }
  get query() { return new URL(this.url).searchParams; }
  get target() { return this.url.slice(new URL(this.url).origin.length); }
}

// One bit of the first `marker` differs.
export function flip(body, marker = 'belay') {
  const bytes = Buffer.from(body);
  const at = bytes.indexOf(marker);
  if (at < 0) throw new Error(`the body holds no "${marker}" to change`);
  bytes[at + marker.length - 1] ^= 1;
  return bytes;
}

// Refusals of libraries are exceptions as often as answers.
export async function accepts(verify) {
  try {
    return { accepted: (await verify()) === true, why: 'it says no' };
  } catch (error) {
    return { accepted: false, why: error?.message || String(error) };
  }
}

// A library call that throws when the signature is wrong.
export async function unless_thrown(call) {
  await call();
  return true;
}

export function key_pair(type, options = {}) {
  const { publicKey, privateKey } = generateKeyPairSync(type, options);
  return {
    public_key: publicKey,
    public_pem: publicKey.export({ type: 'spki', format: 'pem' }),
    public_base64: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
    private_pem: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    private_key: privateKey,
  };
}
