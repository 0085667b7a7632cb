/** A viewer that looks at all there is of an explorer, and says so on stdout once it does. Its argument is the address. */
const [, , given] = process.argv;
const url = new URL(given);
const headers = { origin: url.origin };
const stream = await fetch(new URL('api/v1/stream', url), { headers });
const text = new TextDecoder();
let seen = '';
for await (const bytes of stream.body) {
  if (seen === undefined) continue;
  seen += text.decode(bytes, { stream: true });
  const id = /"stream":"([^"]+)"/.exec(seen)?.[1];
  if (id === undefined) continue;
  seen = undefined;
  const all = { below: '' };
  const watch = {
    messages: all,
    facts: all,
    supervision: true,
    breakers: true,
    pools: true,
    recoveries: true,
  };
  await fetch(new URL('api/v1/watch', url), {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ stream: id, watch }),
  });
  process.stdout.write('watching\n');
}
