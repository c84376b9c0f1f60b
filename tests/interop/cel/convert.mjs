// CEL's published test cases as lines of JSON that need no protobuf library: {file, name, expr, check?, bindings?, want} for what is in
// scope, {file, out} for what is not and why. Values of bindings carry their type: {"i": "1"}, {"l": […]}; `want` is the text that
// run.cc writes for the same value. Reads the package in the working folder.
//
//   node convert.mjs >cases.jsonl
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const require = createRequire(join(process.cwd(), 'package.json'));
const { tests } = await import(pathToFileURL(require.resolve('@bufbuild/cel-spec/testdata/conformance.js')));

class OutOfScope extends Error {}
const out = (why) => { throw new OutOfScope(why); };

const kMessages = 'protobuf messages, enums, wrappers';
// Whole files about what Belay leaves out.
const kOutFiles = {
  block_ext: 'cel.block, which optimisers write and people do not',
  enums: kMessages, proto2: kMessages, proto2_ext: kMessages, proto3: kMessages, wrappers: kMessages,
};
const kMessageNames = /TestAllTypes|TestRequired|google\.protobuf\.(?!Timestamp\b|Duration\b)|TestEnum|GlobalEnum|proto2|proto3/;

const shorten = (text) => text.replace(/(\.\d*?)0+([Zs])$/, '$1$2').replace(/\.([Zs])$/, '$1');

// A number, or "NaN", "Infinity", "-Infinity".
function double(value) {
  if (typeof value === 'string') return value;
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes.toString('hex');
}

function only(value) {
  const entries = Object.entries(value);
  return entries.length === 1 ? entries[0] : out('a value without a kind');
}

function well_known(value, timestamp, duration) {
  if (value['@type'].endsWith('google.protobuf.Timestamp')) return timestamp(shorten(value.value));
  if (value['@type'].endsWith('google.protobuf.Duration')) return duration(shorten(value.value));
  return out(kMessages);
}

function expected(value) {
  const [kind, content] = only(value);
  switch (kind) {
    case 'nullValue': return 'null';
    case 'boolValue': return String(content);
    case 'int64Value': return 'i' + content;
    case 'uint64Value': return 'u' + content;
    case 'doubleValue': return 'd' + double(content);
    case 'stringValue': return 's' + Buffer.from(content).toString('base64');
    case 'bytesValue': return 'b' + content;
    case 'typeValue': return 'T' + content;
    case 'listValue': return '[' + (content.values ?? []).map(expected).join(',') + ']';
    case 'mapValue': {
      const members = (content.entries ?? []).map((entry) => expected(entry.key) + ':' + expected(entry.value));
      return '{' + members.sort((a, b) => (a < b ? -1 : 1)).join(',') + '}';
    }
    case 'objectValue': return well_known(content, (text) => 't' + text, (text) => 'D' + text);
    default: return out(kMessages);
  }
}

function bound(value) {
  const [kind, content] = only(value);
  switch (kind) {
    case 'nullValue': return { n: '' };
    case 'boolValue': return { B: String(content) };
    case 'int64Value': return { i: content };
    case 'uint64Value': return { u: content };
    case 'doubleValue': return { d: String(content) };
    case 'stringValue': return { s: content };
    case 'bytesValue': return { b: content };
    case 'listValue': return { l: (content.values ?? []).map(bound) };
    case 'mapValue': return { m: (content.entries ?? []).map((entry) => [bound(entry.key), bound(entry.value)]) };
    case 'objectValue': return well_known(content, (text) => ({ t: text }), (text) => ({ D: text }));
    default: return out(kMessages);
  }
}

function want(test) {
  if (test.evalError || test.anyEvalErrors) return 'error';
  if (test.value) return expected(test.value);
  if (test.typedResult) return test.typedResult.result ? expected(test.typedResult.result) : out('the type that a checker deduces, no result');
  if (test.unknown || test.anyUnknowns) return out('unknowns');
  return 'true';
}

function convert(file, path, test) {
  if (kOutFiles[file]) out(kOutFiles[file]);
  if (kMessageNames.test(test.expr)) out(kMessages);
  if (test.container) out('names resolved in a container');
  const made = { file, name: [...path, test.name].join('/'), expr: test.expr, want: want(test) };
  if (test.disableCheck) made.check = 'false';
  if (test.bindings) {
    made.bindings = {};
    for (const [name, binding] of Object.entries(test.bindings)) made.bindings[name] = binding.value ? bound(binding.value) : out('unknowns');
  }
  return made;
}

function walk(suite, path) {
  for (const test of suite.tests ?? []) {
    let line;
    try {
      line = convert(path[0], path, test.original);
    } catch (error) {
      if (!(error instanceof OutOfScope)) throw error;
      line = { file: path[0], out: error.message };
    }
    console.log(JSON.stringify(line));
  }
  for (const inner of suite.suites ?? []) walk(inner, [...path, inner.name]);
}

for (const file of tests.suites) walk(file, [file.name]);
