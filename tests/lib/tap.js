// tests/lib/tap.js - a test's results, as tests/run reads them.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const MOST_LINES = 40;
let count = 0;
let failed = 0;

// One result; the details, texts or whatever JSON can hold, if it failed.
function ok(pass, name, ...details) {
  console.log(`${pass ? 'ok' : 'not ok'} ${++count} - ${name}`);
  if (pass) return;
  failed++;
  const text = details.map((d) => (typeof d === 'string' ? d : d instanceof Error
    ? d.stack : JSON.stringify(d)));
  for (const line of text.join('\n').split('\n').slice(0, MOST_LINES))
    console.log(`# ${line}`);
}

function skip(name, why) {
  console.log(`ok ${++count} - ${name} # SKIP ${why}`);
}

// There are no more: ends the process.
function end() {
  console.log(`1..${count}`);
  process.exit(failed ? 1 : 0);
}

module.exports = { ok, skip, end };
