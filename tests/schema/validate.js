// tests/schema/validate.js SCHEMA DOCUMENT - exit 1 when it does not obey it.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const fs = require('fs');
const { load } = require('./ajv.js');

const [schema, document] = process.argv
  .slice(2)
  .map((file) => JSON.parse(fs.readFileSync(file, 'utf8')));
const { Ajv } = load(process.env.TEST_TMP);
const ajv = new Ajv({ allErrors: true, allowUnionTypes: true });
const validate = ajv.compile(schema);
if (!validate(document)) {
  for (const e of validate.errors)
    console.error(`${e.instancePath || '/'}: ${e.message}`);
  process.exit(1);
}
