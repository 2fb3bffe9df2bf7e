'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Notes, MAX_LENGTH } = require('../lib/notes');

test('a note can be read again', () => {
  const notes = new Notes();
  const { id } = notes.add('buy bread');

  assert.match(id, /^[\w-]{10}$/);
  assert.equal(notes.get(id).text, 'buy bread');
  assert.equal(notes.get('nothing'), null);
});

test('ids differ', () => {
  const notes = new Notes();
  const ids = new Set();

  for (let i = 0; i < 1000; i++) ids.add(notes.add(`note ${i}`).id);
  assert.equal(ids.size, 1000);
});

test('a text must be there and not too long', () => {
  const notes = new Notes();

  assert.throws(() => notes.add(' '), /needs a text/);
  assert.throws(() => notes.add(undefined), /needs a text/);
  assert.throws(() => notes.add('x'.repeat(MAX_LENGTH + 1)), /at most/);
  assert.equal(notes.add('x'.repeat(MAX_LENGTH)).text.length, MAX_LENGTH);
});

test('a removed note is gone', () => {
  const notes = new Notes();
  const { id } = notes.add('short-lived');

  assert.equal(notes.remove(id), true);
  assert.equal(notes.remove(id), false);
  assert.deepEqual(notes.all(), []);
});
