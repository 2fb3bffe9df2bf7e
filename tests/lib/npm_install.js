// tests/lib/npm_install.js - what a package-lock.json pins, for a test.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const { execFileSync } = require('child_process');
const fs = require('fs');
const path = require('path');

// Install what the lock file in `from` pins into the new directory `dir`, once.
function npmInstall(from, dir) {
  if (fs.existsSync(path.join(dir, 'node_modules/.package-lock.json'))) return;
  fs.mkdirSync(dir, { recursive: true });
  for (const file of ['package.json', 'package-lock.json'])
    fs.copyFileSync(path.join(from, file), path.join(dir, file));
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund',
                 '--prefer-offline'];
  execFileSync('npm', ['ci', ...flags], {
    cwd: dir,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

module.exports = { npmInstall };
