// tests/lib/npm.js - packages that a test is held against, from npm.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const { execFileSync } = require('child_process');
const fs = require('fs');
const path = require('path');

// Install what the package-lock.json in `from` pins into `dir`.
function into(from, dir, more = []) {
  fs.mkdirSync(dir, { recursive: true });
  for (const file of ['package.json', 'package-lock.json'])
    fs.copyFileSync(path.join(from, file), path.join(dir, file));
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', ...more];
  execFileSync('npm', ['ci', ...flags], {
    cwd: dir,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

// Make `stage` be `dir`, unless another one came first.
function place(stage, dir) {
  try {
    fs.renameSync(stage, dir);
  } catch (error) {
    if (!fs.existsSync(dir)) throw error;
    fs.rmSync(stage, { recursive: true, force: true });
  }
}

// Install that into the directory that all tests of a run share, or `tmp`,
// once; returns a require() for it.
function install(from, tmp) {
  const dir = path.join(process.env.TEST_SHARED || tmp, path.basename(from));
  if (!fs.existsSync(dir)) {
    const stage = fs.mkdtempSync(`${dir}-`);
    into(from, stage);
    place(stage, dir);
  }
  return (name) => require(require.resolve(name, { paths: [dir] }));
}

module.exports = { install, into, place };
