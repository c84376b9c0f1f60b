// Belay against the vendors' own libraries, in both directions: a webhook that the library signed goes through a running gateway, and
// one that `belay send` signed is judged by the library. Then two routes that rewrite a webhook and sign it again.
//
//   node main.mjs BELAY FOLDER [VENDOR…]      FOLDER: for the gateway's files. One line for each vendor, then "N passed, N failed".
//   node main.mjs --table                     the table of tests/interop/README.md
import { Buffer } from 'node:buffer';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Backend, belay, Gateway, post } from './gateway.mjs';
import { resign_checks, resign_rules } from './resign.mjs';
import body_vendors from './vendors/body.mjs';
import key_vendors from './vendors/keys.mjs';
import request_vendors from './vendors/request.mjs';
import standard_vendors from './vendors/standard.mjs';
import timed_vendors from './vendors/timed.mjs';
import token_vendors from './vendors/tokens.mjs';
import { accepts, flip, kBody, kPublicHost, Webhook } from './webhook.mjs';

const every_vendor = [...body_vendors, ...timed_vendors, ...standard_vendors, ...request_vendors, ...key_vendors, ...token_vendors];
const version_of = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version;

if (process.argv[2] === '--table') {
  console.log('| vendor | package | version | signs, taken by `belay run` | verifies what `belay send` signed |\n|---|---|---|---|---|');
  for (const { name, package: library, sign, signs, verifies, in_payload } of every_vendor) {
    console.log(`| ${name} | ${library} | ${version_of(library)} | ${sign ? signs : '–'} | ${in_payload ? '–' : verifies} |`);
  }
  process.exit(0);
}

const [binary, folder, ...wanted] = process.argv.slice(2);
const vendors = every_vendor.filter(({ name }) => wanted.length === 0 || wanted.includes(name));

const path_of = ({ name }) => `/in/${name.replace(/[^a-zA-Z0-9_]+/g, '-').replace(/-$/, '')}`;
const body_of = ({ body = kBody }) => (typeof body === 'function' ? body() : body);
const type_of = ({ type = 'application/json' }) => type;
const tampered = (vendor, webhook) => new Webhook((vendor.tamper ?? ((each) => ({ ...each, body: flip(each.body) })))(webhook));

// One source and one destination for each vendor whose library can sign.
function rules_of(list, backend) {
  const sources = {}, destinations = {};
  for (const vendor of list) {
    const path = path_of(vendor), name = path.slice(4).replace(/-/g, '_');
    const params = { ...vendor.params, ...(vendor.public_url ? { url: kPublicHost + path } : {}) };
    sources[name] = {
      match: { path },
      preset: vendor.preset ?? vendor.name,
      secrets: { signing: vendor.secret },
      ...(Object.keys(params).length > 0 ? { params } : {}),
      routes: [{ to: name }],
    };
    destinations[name] = { url: `http://127.0.0.1:${backend.port}${path}` };
  }
  return { sources, destinations };
}

// A webhook as the vendor's library signs it.
async function signed_by_library(vendor) {
  const draft = new Webhook({
    url: kPublicHost + path_of(vendor) + (vendor.query ?? ''),
    headers: { 'Content-Type': type_of(vendor), ...vendor.headers },
    body: body_of(vendor),
  });
  const { method, url, target, headers, body, text } = draft;
  const json = type_of(vendor).includes('json') ? draft.json : undefined;
  const signed = await vendor.sign({ method, url, target, headers, body, text, json, form: draft.form, secret: vendor.secret }, vendor);
  return new Webhook({ url: url + (signed.query ?? ''), headers: { ...headers, ...signed.headers }, body: signed.body ?? body });
}

// Direction 1. Throws what is wrong.
async function library_to_gateway(vendor, gateway, backend) {
  const webhook = await signed_by_library(vendor);
  const taken = await post(gateway.port, webhook.target, webhook.headers, webhook.body);
  const arrived = backend.at(path_of(vendor));
  if (taken.status !== 200) throw new Error(`the gateway refused it: ${taken.status} ${taken.text}`);
  if (arrived.length !== 1) throw new Error(`${arrived.length} requests reached the backend`);
  if (!arrived[0].body.equals(webhook.body)) throw new Error('other bytes reached the backend');
  if (vendor.verify) {
    const again = await accepts(() => vendor.verify(new Webhook({ ...arrived[0], url: webhook.url }), vendor));
    if (!again.accepted) throw new Error(`what reached the backend no longer verifies: ${again.why}`);
  }
  const wrong = tampered(vendor, webhook);
  const refused = await post(gateway.port, wrong.target, wrong.headers, wrong.body);
  if (refused.status !== 401) throw new Error(`with one bit changed the answer was ${refused.status} ${refused.text}, not 401`);
  if (backend.at(path_of(vendor)).length !== 1) throw new Error('with one bit changed it reached the backend');
}

// Direction 2. Throws what is wrong.
async function send_to_library(vendor, backend) {
  const file = join(folder, 'body');
  writeFileSync(file, body_of(vendor));
  const path = `/send${path_of(vendor)}`;
  const url = `http://127.0.0.1:${backend.port}${path}${vendor.sender_query?.() ?? vendor.query ?? ''}`;
  const words = ['send', vendor.preset ?? vendor.name, '--secret', vendor.sender_secret ?? vendor.secret, '--to', url];
  for (const [name, value] of Object.entries(vendor.params ?? {})) words.push('--param', `${name}=${value}`);
  for (const [name, value] of Object.entries({ ...vendor.headers, ...vendor.sender_headers })) words.push('--header', `${name}: ${value}`);
  const { code, output } = await belay(binary, [...words, file]);
  const arrived = backend.at(path);
  if (code !== 0 || arrived.length !== 1) throw new Error(`belay send ended with ${code}, ${arrived.length} requests arrived: ${output}`);
  const webhook = new Webhook({ ...arrived[0], url: `http://127.0.0.1:${backend.port}${arrived[0].target}` });
  if (!webhook.body.equals(Buffer.from(readFileSync(file)))) throw new Error('other bytes arrived');
  const right = await accepts(() => vendor.verify(webhook, vendor));
  if (!right.accepted) throw new Error(`the library refuses it: ${right.why}`);
  const wrong = await accepts(() => vendor.verify(tampered(vendor, webhook), vendor));
  if (wrong.accepted) throw new Error('the library accepts it with one bit changed');
}

const of_kind = { library_to_gateway: [], send_to_library: [], resigned: [] };
let passed = 0, failed = 0;
async function check(kind, subject, run) {
  try {
    await run();
    of_kind[kind].push(subject);
    ++passed;
    return 'ok';
  } catch (error) {
    ++failed;
    return `FAILED: ${error.message}`;
  }
}

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const backend = await Backend.start();
const rules = rules_of(vendors.filter(({ sign }) => sign), backend);
const resign = resign_rules(backend);
const gateway = await Gateway.start(binary, folder, {
  sources: { ...rules.sources, ...resign.sources }, destinations: { ...rules.destinations, ...resign.destinations },
});
for (const vendor of vendors) {
  const to_gateway = vendor.sign ? await check('library_to_gateway', vendor.package, () => library_to_gateway(vendor, gateway, backend)) : '-';
  const to_library = vendor.in_payload ? '-' : await check('send_to_library', vendor.package, () => send_to_library(vendor, backend));
  console.log(`${vendor.name} (${vendor.package} ${version_of(vendor.package)}): ${vendor.signs ?? 'no signer'} -> belay run: ${to_gateway}; ` +
    `belay send -> ${vendor.verifies}: ${to_library}`);
}
for (const { name, run } of resign_checks(gateway, backend)) console.log(`${name}: ${await check('resigned', name, run)}`);
await gateway.stop().catch((error) => { ++failed; console.log(error.message); });
backend.stop();
const count = (kind) => `${of_kind[kind].length} (${new Set(of_kind[kind]).size} libraries)`;
console.log(`signed by a library and taken by belay run: ${count('library_to_gateway')}; signed by belay send and accepted by a library: ` +
  `${count('send_to_library')}; routes that sign again: ${of_kind.resigned.length}`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
