'use strict';

const { createApp } = require('./lib/app');

const port = Number(process.env.PORT ?? 8080);
createApp().listen(port, () => console.log(`listening on ${port}`));
