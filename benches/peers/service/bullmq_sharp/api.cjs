// BullMQ peer, the API: POST commits a row, then adds a job to the queue.
const { randomUUID } = require('node:crypto');
const fastify = require('fastify')({ logger: false });
const { Pool } = require('pg');
const { Queue } = require('bullmq');
const Redis = require('ioredis');

const db = new Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
// Commands of the same turn of the event loop share a round trip.
const connection = new Redis(process.env.REDIS_URL, { enableAutoPipelining: true });
const queue = new Queue('images', {
  connection,
  defaultJobOptions: { removeOnComplete: true, removeOnFail: 1000 },
});
const columns = 'id, url, status, attempts, created_at, updated_at, result, error';

const submission = {
  type: 'object',
  required: ['url'],
  properties: { url: { type: 'string', format: 'uri', maxLength: 2048 } },
};

fastify.post('/v1/images', { schema: { body: submission } }, async (request, reply) => {
  const { rows } = await db.query({
    name: 'insert',
    text: `INSERT INTO jobs (id, url) VALUES ($1, $2) RETURNING ${columns}`,
    values: [randomUUID(), request.body.url],
  });
  await queue.add('thumbnail', { id: rows[0].id, url: rows[0].url });
  return reply.code(202).header('Location', `/v1/images/${rows[0].id}`).send(rows[0]);
});

const batch = {
  type: 'object',
  required: ['items'],
  properties: { items: { type: 'array', minItems: 1, maxItems: 1000, items: submission } },
};

fastify.post('/v1/batches', { schema: { body: batch }, bodyLimit: 8 << 20 }, async (request, reply) => {
  const urls = request.body.items.map((item) => item.url);
  const { rows } = await db.query({
    name: 'insert-many',
    text: 'INSERT INTO jobs (id, url) SELECT * FROM unnest($1::uuid[], $2::text[]) RETURNING id, url',
    values: [urls.map(() => randomUUID()), urls],
  });
  await queue.addBulk(rows.map(({ id, url }) => ({ name: 'thumbnail', data: { id, url } })));
  return reply.code(202).send({ ids: rows.map(({ id }) => id) });
});

fastify.get('/v1/images/:id', async (request, reply) => {
  const { rows } = await db.query(`SELECT ${columns} FROM jobs WHERE id = $1`, [request.params.id]);
  return rows.length ? rows[0] : reply.code(404).send();
});

fastify.get('/v1/healthz', async () => ({ status: 'ok' }));

fastify.listen({ host: '127.0.0.1', port: Number(process.env.PORT) });
