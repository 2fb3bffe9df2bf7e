// tests/schema/ajv.js - the JSON Schema validator of the tests, from npm.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const path = require('path');
const { npmInstall } = require('../lib/npm_install.js');

// Install it below `tmp`, once; returns what to call.
function load(tmp) {
  const dir = path.join(tmp, 'schema');
  npmInstall(__dirname, dir);
  const from = (name) => require(require.resolve(name, { paths: [dir] }));
  return { Ajv: from('ajv/dist/2020').default, YAML: from('yaml') };
}

module.exports = { load };
