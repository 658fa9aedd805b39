// BullMQ peer, a worker process: several jobs in flight, one sharp thread for each process.
const { createHash } = require('node:crypto');
const { rename } = require('node:fs/promises');
const path = require('node:path');
const { Pool } = require('pg');
const { Worker } = require('bullmq');
const Redis = require('ioredis');
const sharp = require('sharp');
const { request } = require('undici');

const IN_FLIGHT = 8;
const SIDE = 256;
sharp.concurrency(1);
sharp.cache(false);

const db = new Pool({ connectionString: process.env.DATABASE_URL, max: IN_FLIGHT });
const connection = new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: null });

async function thumbnail(source, file) {
  const pipeline = sharp(source).autoOrient();
  const { format, width, height } = await pipeline.metadata();
  const made = await pipeline
    .resize(SIDE, SIDE, { fit: 'inside', withoutEnlargement: true })
    .flatten({ background: '#fff' })
    .jpeg({ quality: 85, optimiseCoding: false })
    .toFile(`${file}.part`);
  await rename(`${file}.part`, file);
  const sha256 = createHash('sha256').update(source).digest('hex');
  const size = { width: made.width, height: made.height, size_bytes: made.size };
  return { format, width, height, size_bytes: source.length, thumbnail: size, sha256 };
}

async function work({ data: { id } }) {
  const { rows } = await db.query({
    name: 'claim',
    text: `UPDATE jobs SET status = 'processing', attempts = attempts + 1, updated_at = now()
           WHERE id = $1 AND status = 'pending' RETURNING url`,
    values: [id],
  });
  if (!rows.length) return;
  try {
    const { statusCode, body } = await request(rows[0].url, { bodyTimeout: 30_000 });
    const source = Buffer.from(await body.arrayBuffer());
    if (statusCode !== 200) throw new Error(`the image server answered ${statusCode}`);
    const facts = await thumbnail(source, path.join(process.env.STORAGE_PATH, `${id}.jpg`));
    await db.query({
      name: 'complete',
      text: "UPDATE jobs SET status = 'completed', result = $2, updated_at = now() WHERE id = $1",
      values: [id, facts],
    });
  } catch (error) {
    const failed = "UPDATE jobs SET status = 'failed', error = $2, updated_at = now() WHERE id = $1";
    await db.query(failed, [id, String(error)]);
  }
}

new Worker('images', work, { connection, concurrency: IN_FLIGHT });
