// sharp as a contender: see engine/contenders.py.
const { readFileSync, writeFileSync } = require('node:fs');
const { createInterface } = require('node:readline');
const sharp = require('sharp');

sharp.concurrency(1);
// Else it would answer the second time from its cache of operations.
sharp.cache(false);

const thumbnail = (source, quality = 85) => sharp(source)
  .autoOrient()
  .resize(256, 256, { fit: 'inside', withoutEnlargement: true })
  .flatten({ background: '#fff' })
  .jpeg({ quality, optimiseCoding: false })
  .toBuffer();

async function main() {
  console.log(JSON.stringify({ ready: true }));
  for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    const source = readFileSync(command.file);
    const begun = performance.now();
    let images = 0;
    let seconds = 0;
    let made;
    while (images === 0 || seconds < (command.seconds ?? 0)) {
      made = await thumbnail(source, command.quality);
      images += 1;
      seconds = (performance.now() - begun) / 1000;
    }
    if (command.save) writeFileSync(command.save, made);
    console.log(JSON.stringify({ images, seconds }));
  }
}

main();
