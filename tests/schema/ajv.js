// tests/schema/ajv.js - the JSON Schema validator of the tests, from npm.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const npm = require('../lib/npm');

// Install what package-lock.json pins into the directory that all tests of a
// run share, or `tmp`, once; returns what to call.
function load(tmp) {
  const from = npm.install(__dirname, tmp);
  return { Ajv: from('ajv/dist/2020').default, YAML: from('yaml') };
}

module.exports = { load };
