// tests/schema/ajv.js - the JSON Schema validator of the tests, from npm.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const { execFileSync } = require('child_process');
const fs = require('fs');
const path = require('path');

// Install what package-lock.json pins into the directory that all tests of a
// run share, or `tmp`, once; returns what to call.
function load(tmp) {
  const dir = path.join(process.env.TEST_SHARED || tmp, 'schema');
  if (!fs.existsSync(dir)) {
    const stage = fs.mkdtempSync(`${dir}-`);
    for (const file of ['package.json', 'package-lock.json'])
      fs.copyFileSync(path.join(__dirname, file), path.join(stage, file));
    const flags = ['--ignore-scripts', '--no-audit', '--no-fund'];
    execFileSync('npm', ['ci', ...flags], {
      cwd: stage,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    try {
      fs.renameSync(stage, dir);
    } catch (error) {
      // Another one came first.
      if (!fs.existsSync(dir)) throw error;
      fs.rmSync(stage, { recursive: true, force: true });
    }
  }
  const from = (name) => require(require.resolve(name, { paths: [dir] }));
  return { Ajv: from('ajv/dist/2020').default, YAML: from('yaml') };
}

module.exports = { load };
