/** Single facts about the wire; `property-tests/work/wire.prop.ts` has the laws. */
import { describe, expect, it } from 'vitest';
import { isTroupeError, type TroupeError } from '../../src/base/errors.ts';
import { encodeFrame, FrameDecoder, WIRE_LIMITS } from '../../src/work/wire.ts';

const refusalOf = (act: () => unknown): TroupeError => {
  try {
    act();
  } catch (error) {
    if (isTroupeError(error)) return error;
    throw error;
  }
  throw new Error('nothing was refused');
};

const framed = (json: string | Uint8Array): Uint8Array => {
  const body = Buffer.from(json);
  const header = Buffer.alloc(4);
  header.writeUInt32BE(body.length);
  return Buffer.concat([header, body]);
};

const decoding = (bytes: Uint8Array, limits = WIRE_LIMITS) => {
  const messages: unknown[] = [];
  const decoder = new FrameDecoder(limits, (got) => messages.push(got));
  return { decoder, messages, push: () => decoder.push(bytes) };
};

describe('a frame', () => {
  it('is a big-endian length and that many bytes of JSON', () => {
    expect(Buffer.from(encodeFrame({ kind: 'ping', id: 7 }, WIRE_LIMITS)).toString('latin1')).toBe(
      '\0\0\0\x16{"kind":"ping","id":7}',
    );
  });

  it('counts bytes, not characters', () => {
    const bytes = encodeFrame({ text: '…😀' }, WIRE_LIMITS);
    expect(Buffer.from(bytes).readUInt32BE()).toBe(bytes.length - 4);
  });
});

describe('what is read', () => {
  it('is refused by its length before anything is allocated: 4 GiB', () => {
    const before = process.memoryUsage();
    const { push, decoder } = decoding(Uint8Array.of(0xff, 0xff, 0xff, 0xff));
    const refusal = refusalOf(push);
    expect(refusal.code).toBe('ERR_FRAME_TOO_LARGE');
    expect(refusal.data['bytes']).toBe(0xffff_ffff);
    expect(decoder.bufferedBytes).toBe(0);
    expect(process.memoryUsage().arrayBuffers - before.arrayBuffers).toBeLessThan(1_048_576);
  });

  it('is refused at the fourth byte when it is printed text', () => {
    expect(refusalOf(decoding(Buffer.from('hell')).push).code).toBe('ERR_FRAME_TOO_LARGE');
  });

  it('is refused at its first byte when it is no object, however much it announces', () => {
    expect(refusalOf(decoding(Uint8Array.of(0, 1, 0, 0, 0x5b)).push).code).toBe('ERR_FRAME_MALFORMED');
  });

  it.each([
    ['an empty frame', framed('')],
    ['half of an object', framed('{"a":')],
    ['two objects in one frame', framed('{}{}')],
    ['bytes that are not UTF-8', framed(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d))],
    ['a byte order mark', framed('\ufeff{}')],
  ])('is refused as malformed: %s', (_what, bytes) => {
    expect(refusalOf(decoding(bytes).push).code).toBe('ERR_FRAME_MALFORMED');
  });

  it('is refused before it is parsed when it nests too deeply, by brackets of either kind', () => {
    const bomb = `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    const refusal = refusalOf(decoding(framed(bomb)).push);
    expect(refusal.code).toBe('ERR_FRAME_MALFORMED');
    expect(refusal.message).toContain('nests deeper than 64');
    const objects = `${'{"a":'.repeat(65)}1${'}'.repeat(65)}`;
    expect(refusalOf(decoding(framed(objects)).push).message).toContain('nests deeper');
  });

  it('may nest to the limit itself, and may hold any number of brackets in strings', () => {
    const { push, messages } = decoding(framed(`${'{"a":'.repeat(64)}"[[[\\"[["${'}'.repeat(64)}`), {
      ...WIRE_LIMITS,
      maxDepth: 64,
    });
    push();
    expect(messages).toHaveLength(1);
    const strings = decoding(framed(JSON.stringify({ a: '['.repeat(200), b: '\\"{'.repeat(200) })));
    strings.push();
    expect(strings.messages).toHaveLength(1);
  });

  it('never brings its payload into the error', () => {
    expect(refusalOf(decoding(framed('{"password":"hunter2",}')).push).message).not.toContain('hunter2');
  });

  it('is not delivered after the decoder was closed, not even from the same chunk', () => {
    const bytes = Buffer.concat([framed('{"n":1}'), framed('{"n":2}')]);
    const got: unknown[] = [];
    const decoder: FrameDecoder = new FrameDecoder(WIRE_LIMITS, (message) => {
      got.push(message);
      decoder.close();
    });
    decoder.push(bytes);
    expect(got).toEqual([{ n: 1 }]);
  });

  it('says whether a frame is under way', () => {
    const { decoder } = decoding(framed('{}'));
    expect(decoder.partial).toBe(false);
    decoder.push(Uint8Array.of(0, 0));
    expect(decoder.partial).toBe(true);
    decoder.push(Uint8Array.of(0, 2, 0x7b));
    expect(decoder.partial).toBe(true);
    decoder.push(Uint8Array.of(0x7d));
    expect(decoder.partial).toBe(false);
  });
});

describe('what is sent', () => {
  const circle: Record<string, unknown> = {};
  circle['again'] = circle;

  it('is refused with the beginning of a long way to the flaw, in so many words', () => {
    const refusal = refusalOf(() => encodeFrame({ args: circle }, WIRE_LIMITS, 'count'));
    expect(refusal.message).toBe(
      `job count cannot be sent: args${'.again'.repeat(7)}… (56 levels more) nests too deeply, ` +
        'or in a circle [ERR_JOB_INVALID]',
    );
    const long = refusalOf(() => encodeFrame({ ['k'.repeat(10_000)]: 1n }, WIRE_LIMITS, 'count'));
    expect(long.message.length).toBeLessThan(150);
  });

  it.each([
    ['a function', { args: { f: () => 1 } }, 'args.f is a function'],
    ['a symbol', { args: [Symbol('s')] }, 'args[0] is a symbol'],
    ['a bigint', { args: 1n }, 'args is a bigint'],
    ['NaN', { args: [{ n: Number.NaN }] }, 'args[0].n is NaN'],
    ['Infinity', { args: Number.POSITIVE_INFINITY }, 'args is Infinity'],
    ['undefined in an array', { args: [1, undefined] }, 'args[1] is undefined'],
    ['a Map', { args: new Map() }, 'args is a Map'],
    ['a circle', { args: circle }, 'nests too deeply, or in a circle'],
    ['a forbidden key', { args: JSON.parse('{"__proto__":1}') as unknown }, 'args.__proto__ is a key'],
    [
      'a getter that throws',
      {
        get args(): never {
          throw new Error('no');
        },
      },
      'Error: no',
    ],
  ])('is refused, named by its path: %s', (_what, message, why) => {
    const refusal = refusalOf(() => encodeFrame(message, WIRE_LIMITS, 'count'));
    expect(refusal.code).toBe('ERR_JOB_INVALID');
    expect(refusal.outcome).toBe('not_started');
    expect(refusal.message).toContain(why);
    expect(refusal.message).toContain('count');
  });

  it('may nest exactly as deeply as what is read', () => {
    const nested = (levels: number): object => {
      let value: unknown = 1;
      for (let i = 0; i < levels; i++) value = { a: value };
      return value as object;
    };
    decoding(encodeFrame(nested(64), WIRE_LIMITS)).push();
    expect(refusalOf(() => encodeFrame(nested(65), WIRE_LIMITS)).code).toBe('ERR_JOB_INVALID');
  });

  it('is written as toJSON gives it', () => {
    const { messages, push } = decoding(encodeFrame({ at: new Date(0) }, WIRE_LIMITS));
    push();
    expect(messages).toEqual([{ at: '1970-01-01T00:00:00.000Z' }]);
  });

  it('leaves out properties that are undefined', () => {
    const { messages, push } = decoding(encodeFrame({ a: undefined, b: 1 }, WIRE_LIMITS));
    push();
    expect(messages).toEqual([{ b: 1 }]);
  });

  it('is refused beyond the limit, and taken at it', () => {
    const limits = { maxFrameBytes: 20, maxDepth: 4 };
    expect(encodeFrame({ a: 'x'.repeat(12) }, limits)).toHaveLength(24);
    const refusal = refusalOf(() => encodeFrame({ a: 'x'.repeat(13) }, limits));
    expect(refusal.code).toBe('ERR_FRAME_TOO_LARGE');
    expect(refusal.data).toEqual({ bytes: 21, limit: 20 });
  });
});
