// tests/lib/npm.js - packages that a test is held against, from npm.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const { execFileSync } = require('child_process');
const fs = require('fs');
const path = require('path');

// Install what the package-lock.json in `from` pins into `tmp`, once; returns
// a require() for it.
function install(from, tmp) {
  const dir = path.join(tmp, path.basename(from));
  if (!fs.existsSync(path.join(dir, 'installed'))) {
    fs.mkdirSync(dir, { recursive: true });
    for (const file of ['package.json', 'package-lock.json'])
      fs.copyFileSync(path.join(from, file), path.join(dir, file));
    const flags = ['--ignore-scripts', '--no-audit', '--no-fund'];
    execFileSync('npm', ['ci', ...flags], {
      cwd: dir,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    fs.writeFileSync(path.join(dir, 'installed'), '');
  }
  return (name) => require(require.resolve(name, { paths: [dir] }));
}

module.exports = { install };
