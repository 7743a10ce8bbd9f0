// SPDX-License-Identifier: Apache-2.0
// The client of coap-node as a device behind a gateway: coap-node.js PORT ENDPOINT.
// Says "registered" when it is, and what is written to it or executed, a line each.
'use strict';
process.env.npm_lifecycle_event = 'test'; // else it asks the machine for its routes
const CoapNode = require('coap-node');
const SmartObject = require('smartobject');
const [port, endpoint] = process.argv.slice(2);
const so = new SmartObject();
let level = 5;

so.init('temperature', 0, {sensorValue: 21.5, units: 'Cel'});
so.init('lightCtrl', 0, {
  dimmer: {
    read: (done) => done(null, level),
    write: (value, done) => {
      level = value;
      console.log('write /3311/0/5851', level);
      done(null, level);
    },
  },
});

const node = new CoapNode(endpoint, so, {
  lifetime: 60, version: '1.0', manuf: 'Stranger', model: 'coap-node', firmware: '6.2',
});
so.set('device', 0, 'reboot', { // the node has made the device
  exec: (done) => {
    console.log('execute /3/0/4');
    done(null, []);
  },
});
node.on('registered', () => console.log('registered'));
node.on('error', (error) => console.log('error', error.message));
node.register('127.0.0.1', port, (error, answer) => {
  if (error || !/^2/.test(answer.status)) {
    console.log('failed', error ? error.message : answer.status);
    process.exit(1);
  }
});
process.on('SIGTERM', () => node.deregister(() => process.exit(0)));
