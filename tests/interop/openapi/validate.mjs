// Judges OpenAPI descriptions by the published schema of their version, resolves every reference in them, and compiles every JSON
// Schema they hold (OpenAPI's own schema does not look inside those). Reads the package in the working folder. Exit 1 at the first
// description that is wrong.
//
//   node validate.mjs FILE.json…
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const require = createRequire(join(process.cwd(), 'package.json'));
const { Validator } = await import(pathToFileURL(require.resolve('@seriousme/openapi-schema-validator')));
const Ajv = require('ajv/dist/2020').default;
const addFormats = require('ajv-formats').default;

const fail = (file, what) => {
  console.error(`${file}: ${what}`);
  process.exit(1);
};

function* schemasOf(value) {
  if (value === null || typeof value !== 'object') return;
  for (const [key, inside] of Object.entries(value)) {
    if (key === 'parameters') continue;  // theirs are plain text
    if (key === 'schema' && !Array.isArray(value)) yield inside;
    else yield* schemasOf(inside);
  }
}

for (const file of process.argv.slice(2)) {
  const text = readFileSync(file, 'utf8');
  const validator = new Validator();
  const verdict = await validator.validate(JSON.parse(text));
  if (!verdict.valid) fail(file, JSON.stringify(verdict.errors, null, 2));
  if (validator.version !== '3.1') fail(file, `judged as OpenAPI ${validator.version}`);
  validator.resolveRefs();

  const description = JSON.parse(text);
  const ajv = new Ajv({ strict: false, validateSchema: true });
  addFormats(ajv);
  const components = description.components.schemas;
  // References into the description become references to schemas of these names.
  const local = (schema) => JSON.parse(JSON.stringify(schema).replaceAll('"#/components/schemas/', '"'));
  for (const [name, schema] of Object.entries(components)) ajv.addSchema(local(schema), name);
  for (const name of Object.keys(components)) {
    if (!ajv.getSchema(name)) fail(file, `component ${name} does not compile`);
  }
  for (const schema of schemasOf(description.paths)) {
    try {
      ajv.compile(local(schema));
    } catch (error) {
      fail(file, `${error.message}: ${JSON.stringify(schema)}`);
    }
  }
  const operations = Object.values(description.paths).reduce((sum, item) => sum + Object.keys(item).length, 0);
  if (operations === 0) fail(file, 'no operation');
  console.log(`${file}: valid OpenAPI 3.1, ${operations} operations, ${Object.keys(components).length} schemas`);
}
