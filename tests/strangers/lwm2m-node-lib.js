// SPDX-License-Identifier: Apache-2.0
// The client of lwm2m-node-lib as a device behind a gateway: lwm2m-node-lib.js PORT ENDPOINT.
// Says "registered" when it is, and what is written to it or executed, a line each.
'use strict';
const lib = require('lwm2m-node-lib').client;
const [port, endpoint] = process.argv.slice(2);
const say = (...words) => console.log(words.join(' '));
const give_up = (what, error) => {
  say(what, error.message || String(error));
  process.exit(1);
};

const values = {
  '/3/0': {0: 'Stranger', 1: 'node-lib', 2: 'n-1', 3: '7.1', 9: '83', 11: '0', 13: '0', 15: 'Nowhere', 16: 'U'},
  '/3303/0': {5700: '21.5', 5701: 'Cel'},
  '/3311/0': {5851: '5'},
};

function fill(then) {
  const todo = [];
  for (const [uri, resources] of Object.entries(values)) {
    todo.push((next) => lib.registry.create(uri, next));
    for (const [id, value] of Object.entries(resources))
      todo.push((next) => lib.registry.setResource(uri, id, value, next));
  }
  const step = (error) => {
    if (error) give_up('failed', error);
    const next = todo.shift();
    return next ? next(step) : then();
  };
  step();
}

lib.init({
  client: {
    lifetime: '60', version: '1.0', logLevel: 'FATAL', observe: {period: 3000}, ipProtocol: 'udp4',
    serverProtocol: 'udp4', formats: [], writeFormat: 'text/plain',
  },
});
fill(() => lib.register('127.0.0.1', port, '', endpoint, (error, device) => {
  if (error) give_up('failed', error);
  lib.setHandler(device.serverInfo, 'write', (type, id, resource, value, done) => {
    say('write', `/${type}/${id}/${resource}`, value);
    lib.registry.setResource(`/${type}/${id}`, resource, value, done);
  });
  lib.setHandler(device.serverInfo, 'execute', (type, id, resource, args, done) => {
    say('execute', `/${type}/${id}/${resource}`);
    done(null);
  });
  lib.setHandler(device.serverInfo, 'read', (type, id, resource, value, done) => done(null, value));
  say('registered');
  process.on('SIGTERM', () => lib.unregister(device, () => process.exit(0)));
}));
