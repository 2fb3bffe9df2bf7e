// tests/schema/ajv.js - the JSON Schema validator of the tests, from npm.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const { execFileSync } = require('child_process');
const fs = require('fs');
const path = require('path');

// Install what package-lock.json pins into `tmp`, once; returns what to call.
function load(tmp) {
  const dir = path.join(tmp, 'schema');
  if (!fs.existsSync(path.join(dir, 'node_modules/ajv/package.json'))) {
    fs.mkdirSync(dir, { recursive: true });
    for (const file of ['package.json', 'package-lock.json'])
      fs.copyFileSync(path.join(__dirname, file), path.join(dir, file));
    const flags = ['--ignore-scripts', '--no-audit', '--no-fund'];
    execFileSync('npm', ['ci', ...flags], {
      cwd: dir,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  }
  const from = (name) => require(require.resolve(name, { paths: [dir] }));
  return { Ajv: from('ajv/dist/2020').default, YAML: from('yaml') };
}

module.exports = { load };
