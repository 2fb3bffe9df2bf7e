'use strict';

const { nanoid } = require('nanoid');

const MAX_LENGTH = 1000;

/** Notes in memory; each has an id, a text and a version that grows. */
class Notes {
  #notes = new Map();

  add(text) {
    const note = { id: nanoid(10), text: check(text), version: '1.0.0' };
    this.#notes.set(note.id, note);
    return note;
  }

  get(id) {
    return this.#notes.get(id) ?? null;
  }

  all() {
    return [...this.#notes.values()];
  }

  replace(id, text, version) {
    const note = this.#notes.get(id);
    if (!note) return null;
    note.text = check(text);
    note.version = version;
    return note;
  }

  remove(id) {
    return this.#notes.delete(id);
  }
}

function check(text) {
  if (typeof text !== 'string' || text.trim() === '') {
    throw new RangeError('a note needs a text');
  }
  if (text.length > MAX_LENGTH) {
    throw new RangeError(`a note has ${MAX_LENGTH} characters at most`);
  }
  return text;
}

module.exports = { Notes, MAX_LENGTH };
