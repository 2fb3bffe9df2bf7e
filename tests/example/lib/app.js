'use strict';

const express = require('express');
const semver = require('semver');
const { Notes } = require('./notes');

/** An express application over `notes`. */
function createApp(notes = new Notes()) {
  const app = express();

  app.disable('x-powered-by');
  app.use(express.json({ limit: '16kb' }));
  app.get('/notes', (req, res) => res.json(notes.all()));
  app.post('/notes', (req, res) => {
    res.status(201).json(notes.add(req.body.text));
  });
  app.get('/notes/:id', (req, res) => send(res, notes.get(req.params.id)));
  app.put('/notes/:id', (req, res) => {
    const note = notes.get(req.params.id);
    const kind = req.query.kind ?? 'patch';
    const version = note && semver.inc(note.version, kind);

    if (note && !version) throw new RangeError(`no such kind: ${kind}`);
    send(res, notes.replace(req.params.id, req.body.text, version));
  });
  app.delete('/notes/:id', (req, res) => {
    res.status(notes.remove(req.params.id) ? 204 : 404).end();
  });
  app.use((error, req, res, next) => {
    if (res.headersSent) return next(error);
    const status = error instanceof RangeError ? 422 : (error.status ?? 500);
    return res.status(status).json({ error: error.message });
  });
  return app;
}

function send(res, note) {
  if (note) res.json(note);
  else res.status(404).json({ error: 'no such note' });
}

module.exports = { createApp };
