// tests/fakes/forge/validate.js - what is refused, and where a diff has lines.
// SPDX-License-Identifier: Apache-2.0
'use strict';

const crypto = require('crypto');

// An answer that is no success: thrown by whoever finds out.
class Refusal extends Error {
  constructor(status, body, headers = {}) {
    super(typeof body === 'string' ? body : JSON.stringify(body));
    Object.assign(this, { status, body, headers });
  }
}

// Hosts count characters, not bytes and not halves of them.
const characters = (text) => [...text].length;

// ---- diffs ------------------------------------------------------------------

// The lines of one hunk. Each knows both counters: what a line code is made of.
function readHunk(head, lines) {
  const [, oldStart, newStart] = /^@@ -(\d+)(?:,\d+)? \+(\d+)/.exec(head);
  let [oldAt, newAt] = [+oldStart, +newStart];
  const hunk = { head, lines: [] };
  for (const line of lines) {
    const type = line[0];
    if (type === '\\' || type === undefined) continue;
    hunk.lines.push({ type, old: oldAt, new: newAt, text: line.slice(1) });
    if (type !== '+') oldAt++;
    if (type !== '-') newAt++;
  }
  return hunk;
}

// A file's part of a unified diff.
function readFile(text) {
  const hunks = [];
  let head = null;
  let lines = [];
  const flush = () => head && hunks.push(readHunk(head, lines));
  for (const line of text.replace(/\n$/, '').split('\n')) {
    if (line.startsWith('@@ ')) {
      flush();
      [head, lines] = [line, []];
    } else if (head) lines.push(line);
  }
  flush();
  return hunks;
}

// `text` of git diff; `raw` of git diff --raw -z of the same: only that says
// names that need no unquoting. Returns the files in order.
function parseDiff(text, raw) {
  const parts = text ? text.split(/^(?=diff --git )/m) : [];
  const words = raw.split('\0');
  const files = [];
  let part = 0;
  for (let at = 0; at + 1 < words.length;) {
    const status = words[at].split(' ')[4][0];
    const oldPath = words[at + 1];
    const moved = status === 'R' || status === 'C';
    const newPath = moved ? words[at + 2] : oldPath;
    at += moved ? 3 : 2;
    const own = parts.slice(part, part += status === 'T' ? 2 : 1);
    files.push({ status, oldPath, newPath, text: own.join(''),
      hunks: own.flatMap(readFile) });
  }
  return files;
}

// The line of that number on that side ('old' or 'new'), with its hunk; null if
// the diff has none.
function findLine(file, side, number) {
  for (const hunk of file.hunks) {
    const line = hunk.lines.find((l) => l[side] === number &&
      l.type !== (side === 'old' ? '+' : '-'));
    if (line) return { ...line, hunk };
  }
  return null;
}

// Where a line of an old text is in a new one: its number, or null if it went.
// `hunks` are of git diff -U0 between the two.
function moveLine(hunks, number) {
  let by = 0;
  for (const hunk of hunks) {
    const gone = hunk.lines.filter((l) => l.type === '-').map((l) => l.old);
    const count = hunk.lines.length - gone.length;
    const [, at] = /^@@ -(\d+)/.exec(hunk.head);
    if (gone.includes(number)) return null;
    // Without old lines, what is new stands behind line `at`.
    if (gone.length ? number < gone[0] : number <= +at) break;
    by += count - gone.length;
  }
  return number + by;
}

const lineCode = (path, line) =>
  `${crypto.createHash('sha1').update(path).digest('hex')}_${line.old}_${line.new}`;

// ---- an App's own token -------------------------------------------------------

const CLOCK_SKEW = 60; // seconds
const MAX_LIFE = 600;

// Of a JWT: its claims, or what GitHub says is wrong with it.
function readJwt(token, app, nowSeconds) {
  const bad = (message) => new Refusal(401, { message });
  const parts = token.split('.');
  if (!app || parts.length !== 3)
    throw bad('A JSON web token could not be decoded');
  let head, claims;
  try {
    [head, claims] = parts.slice(0, 2)
      .map((p) => JSON.parse(Buffer.from(p, 'base64url').toString()));
  } catch {
    throw bad('A JSON web token could not be decoded');
  }
  const fits = head.alg === 'RS256' && crypto.verify('RSA-SHA256',
    Buffer.from(parts.slice(0, 2).join('.')), app.publicKey,
    Buffer.from(parts[2], 'base64url'));
  if (!fits) throw bad('A JSON web token could not be decoded');
  if (/[=+/]/.test(token)) throw bad('A JSON web token could not be decoded');
  if (!Number.isInteger(claims.iat) || claims.iat > nowSeconds)
    throw bad("'Issued at' claim ('iat') must be an Integer representing the " +
      'time that the assertion was issued');
  if (!Number.isInteger(claims.exp) || claims.exp <= nowSeconds)
    throw bad("'Expiration time' claim ('exp') must be a numeric value " +
      'representing the future time at which the assertion expires');
  if (claims.exp > nowSeconds + MAX_LIFE ||
      claims.exp - claims.iat > MAX_LIFE + CLOCK_SKEW)
    throw bad("'Expiration time' claim ('exp') is too far in the future");
  if (String(claims.iss) !== String(app.id) && claims.iss !== app.clientId)
    throw bad("'Issuer' claim ('iss') must be an Integer");
  return claims;
}

module.exports = { Refusal, characters, parseDiff, readFile, findLine, moveLine,
  lineCode, readJwt };
