// BullMQ peer: the API in two processes that share the port, one a core.
const cluster = require('node:cluster');

if (cluster.isPrimary) {
  for (let process = 0; process < 2; process += 1) cluster.fork();
} else {
  require('./api.cjs');
}
