// sharp as a contender: see engine/contenders.py.
const { readFileSync, writeFileSync } = require('node:fs');
const { createInterface } = require('node:readline');
const sharp = require('sharp');

sharp.concurrency(1);
// Else it would answer the second time from its cache of operations.
sharp.cache(false);

const thumbnail = (pipeline, quality = 85) => pipeline.clone()
  .resize(256, 256, { fit: 'inside', withoutEnlargement: true })
  .flatten({ background: '#fff' })
  .jpeg({ quality, optimiseCoding: false })
  .toBuffer();

// The sizes and formats are the same in each contender.
const outputs = {
  '256 inside JPEG': (source) => thumbnail(source),
  '320×320 cover WebP': (source) => source.clone()
    .resize(320, 320, { fit: 'cover', withoutEnlargement: true }).webp({ quality: 80 }).toBuffer(),
  '1024 inside WebP': (source) => source.clone()
    .resize(1024, 1024, { fit: 'inside', withoutEnlargement: true }).webp({ quality: 80 }).toBuffer(),
};

// As its manual has it: one pipeline, and a clone for each output.
const several = (source, names) => {
  const pipeline = sharp(source).autoOrient();
  return Promise.all(names.map((name) => outputs[name](pipeline)));
};

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
      made = command.outputs
        ? await several(source, command.outputs)
        : await thumbnail(sharp(source).autoOrient(), command.quality);
      images += 1;
      seconds = (performance.now() - begun) / 1000;
    }
    if (command.save) writeFileSync(command.save, made);
    console.log(JSON.stringify({ images, seconds }));
  }
}

main();
