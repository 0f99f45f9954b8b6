// What a program with the official JavaScript client does with files; prints one JSON object.
const { modules, url, key } = JSON.parse(process.argv[2]);
const { createClient } = require(`${modules}/@supabase/supabase-js`);
const { Readable } = require('node:stream');

globalThis.WebSocket ??= require(`${modules}/ws`);

const must = ({ data, error }) => {
  if (error) throw error;
  return data;
};

const main = async () => {
  const { storage } = createClient(url, key);
  const name = `js-${crypto.randomUUID()}`;
  must(await storage.createBucket(name, { public: true, fileSizeLimit: '1mb' }));
  const bucket = storage.from(name);
  const form = new FormData();
  form.append('', new Blob(['form']), 'form.txt');
  const bodies = {
    buffer: Buffer.from('olá'),
    blob: new Blob(['blob'], { type: 'text/plain' }),
    form,
    stream: Readable.from([Buffer.from('str'), Buffer.from('eam')]),
  };
  for (const [kind, body] of Object.entries(bodies)) {
    const options = kind === 'form' ? {} : { metadata: { custom: 'metadata' }, duplex: 'half' };
    must(await bucket.upload(`in/${kind}.txt`, body, options));
  }
  const { error } = await bucket.upload('in/buffer.txt', Buffer.from('x'));
  const listed = must(await bucket.list('in')).map((entry) => entry.name);
  const folded = must(await bucket.listV2({ with_delimiter: true }));
  let [pages, cursor] = [0, undefined];
  do {
    const page = must(await bucket.listV2({ prefix: 'in/', limit: 2, cursor }));
    [pages, cursor] = [pages + 1, page.nextCursor];
  } while (cursor);
  const link = must(await bucket.createSignedUrl('in/buffer.txt', 60)).signedUrl;
  const { path, token } = must(await bucket.createSignedUploadUrl('signed.txt'));
  must(await bucket.uploadToSignedUrl(path, token, new Blob(['signed'])));
  console.log(
    JSON.stringify({
      uploads: Object.keys(bodies),
      downloaded: await must(await bucket.download('in/buffer.txt')).text(),
      info: must(await bucket.info('in/stream.txt')).metadata,
      duplicate: { message: error.message, statusCode: error.statusCode },
      listed,
      folders: folded.folders.map((folder) => folder.name),
      pages,
      signed: await (await fetch(link)).text(),
      signedUpload: await must(await bucket.download('signed.txt')).text(),
      public: (await fetch(bucket.getPublicUrl('in/blob.txt').data.publicUrl)).ok,
      removed: must(await bucket.remove(listed.map((entry) => `in/${entry}`))).length,
    }),
  );
};

main().then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(1);
});
