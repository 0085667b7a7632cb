/**
 * What the `process` case is held against: a process that answers frames of the same make (a 4-byte big-endian length, then
 * JSON) on its bare standard streams, and does nothing else.
 */
let pending = Buffer.alloc(0);

process.stdin.on('data', (chunk) => {
  pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
  while (pending.length >= 4) {
    const end = 4 + pending.readUInt32BE(0);
    if (pending.length < end) return;
    const { id } = JSON.parse(pending.toString('utf8', 4, end));
    pending = pending.subarray(end);
    const json = JSON.stringify({ type: 'result', id, value: 1 });
    const frame = Buffer.allocUnsafe(4 + Buffer.byteLength(json));
    frame.writeUInt32BE(frame.length - 4, 0);
    frame.write(json, 4);
    process.stdout.write(frame);
  }
});
