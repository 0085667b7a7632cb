/**
 * The wire under any input: what goes in comes out, however it is cut; what must be refused is, and at once.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isTroupeError } from '../../src/base/errors.ts';
import {
  encodeAround,
  encodeFrame,
  FrameDecoder,
  WIRE_LIMITS,
  type WireLimits,
} from '../../src/work/wire.ts';

const FORBIDDEN = ['__proto__', 'constructor', 'prototype'];

const json = fc
  .jsonValue({ maxDepth: 8, noUnicodeString: false })
  .filter((value) => !FORBIDDEN.some((key) => JSON.stringify(value).includes(key)));
const message = json.map((args) => ({ kind: 'run', id: 1, args }));

const decode = (limits: WireLimits, chunks: readonly Uint8Array[]): unknown[] => {
  const messages: unknown[] = [];
  const decoder = new FrameDecoder(limits, (got) => messages.push(got));
  for (const chunk of chunks) decoder.push(chunk);
  return messages;
};

const cutAt = (bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] => {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return places.slice(1).map((to, i) => bytes.subarray(places[i], to));
};

const framed = (json: string | Uint8Array): Uint8Array => {
  const body = Buffer.from(json);
  const header = Buffer.alloc(4);
  header.writeUInt32BE(body.length);
  return Buffer.concat([header, body]);
};

const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    return isTroupeError(error) ? error.code : String(error);
  }
  return 'nothing';
};

describe('the wire', () => {
  it('gives back any messages, in order, wherever the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 5 }), fc.array(fc.nat()), (messages, cuts) => {
        const bytes = Buffer.concat(messages.map((each) => encodeFrame(each, WIRE_LIMITS)));
        expect(decode(WIRE_LIMITS, cutAt(bytes, cuts))).toEqual(JSON.parse(JSON.stringify(messages)));
      }),
      { numRuns: 300 },
    );
  });

  it('is the same, and refuses the same, where all but one value is written beforehand', () => {
    const odd = fc.oneof(json, fc.anything({ maxDepth: 4, withBigInt: true, withMap: true }));
    const limits: WireLimits = { maxFrameBytes: 120, maxDepth: 4 };
    const outcomeOf = (encode: () => Uint8Array): unknown => {
      try {
        return Buffer.from(encode()).toString('latin1');
      } catch (error) {
        return isTroupeError(error) ? [error.code, error.message] : error;
      }
    };
    fc.assert(
      fc.property(odd, (args) => {
        const envelope = { head: '{"id":1,"args":', tail: ',"left":null}', key: 'args', job: 'count' };
        const around = outcomeOf(() => encodeAround(args, envelope, limits));
        // A property that is undefined is left out; a value that is written around is always there.
        if (args === undefined)
          expect(around).toEqual(['ERR_JOB_INVALID', expect.stringContaining('args is undefined')]);
        else
          expect(around).toEqual(outcomeOf(() => encodeFrame({ id: 1, args, left: null }, limits, 'count')));
      }),
      { numRuns: 1_000 },
    );
  });

  it('gives back a message that comes byte by byte', () => {
    fc.assert(
      fc.property(message, (each) => {
        const bytes = encodeFrame(each, WIRE_LIMITS);
        const single = [...bytes].map((byte) => Uint8Array.of(byte));
        expect(decode(WIRE_LIMITS, single)).toEqual([JSON.parse(JSON.stringify(each))]);
      }),
      { numRuns: 100 },
    );
  });

  it('delivers whole messages before it refuses the garbage behind them, and nothing after', () => {
    fc.assert(
      fc.property(
        message,
        fc.string({ minLength: 5 }).filter((s) => /^[ -~]{4}/.test(s)),
        (each, garbage) => {
          const good = encodeFrame(each, WIRE_LIMITS);
          const got: unknown[] = [];
          const decoder = new FrameDecoder(WIRE_LIMITS, (one) => got.push(one));
          const all = Buffer.concat([good, Buffer.from(garbage)]);
          expect(codeOf(() => decoder.push(all))).toBe('ERR_FRAME_TOO_LARGE');
          decoder.push(good);
          expect(got).toEqual([JSON.parse(JSON.stringify(each))]);
        },
      ),
    );
  });

  it('never raises anything but its own two refusals, whatever the bytes', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.uint8Array({ minLength: 1, maxLength: 60 }).map(framed),
      fc.string({ maxLength: 60 }).map((s) => framed(`{${s}`)),
      fc.string({ maxLength: 60 }).map((s) => framed(`{"a":"${s}"}`)),
    );
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 4 }), fc.array(fc.nat()), (parts, cuts) => {
        const code = codeOf(() =>
          decode({ maxFrameBytes: 1_000, maxDepth: 8 }, cutAt(Buffer.concat(parts), cuts)),
        );
        expect(['nothing', 'ERR_FRAME_TOO_LARGE', 'ERR_FRAME_MALFORMED']).toContain(code);
      }),
      { numRuns: 500 },
    );
  });

  it('holds no more of a frame than twice what has arrived, whatever its length says', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 0xff_ffff }),
        fc.integer({ min: 1, max: 200 }),
        (announced, sent) => {
          const decoder = new FrameDecoder({ maxFrameBytes: 0xff_ffff, maxDepth: 8 }, () => {});
          const header = Buffer.alloc(4);
          header.writeUInt32BE(announced);
          decoder.push(header);
          if (announced <= sent) return;
          decoder.push(Buffer.alloc(sent, '{'));
          expect(decoder.bufferedBytes).toBe(4 + sent);
        },
      ),
    );
  });

  it('refuses a key that reaches a prototype at any depth, however it is spelled, and leaves Object.prototype alone', () => {
    const before = Object.getOwnPropertyNames(Object.prototype);
    const spelled = fc
      .tuple(fc.constantFrom(...FORBIDDEN), fc.array(fc.boolean(), { minLength: 11, maxLength: 11 }))
      .map(([key, escaped]) =>
        [...key]
          .map((c, i) => (escaped[i] ? `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}` : c))
          .join(''),
      );
    fc.assert(
      fc.property(spelled, fc.nat({ max: 5 }), fc.boolean(), (key, depth, inArray) => {
        let body = `{"${key}":{"polluted":1}}`;
        for (let i = 0; i < depth; i++) body = inArray ? `{"a":[1,${body}]}` : `{"a":${body}}`;
        expect(codeOf(() => decode(WIRE_LIMITS, [framed(body)]))).toBe('ERR_FRAME_MALFORMED');
        expect(codeOf(() => encodeFrame(JSON.parse(body) as object, WIRE_LIMITS))).toBe('ERR_JOB_INVALID');
      }),
    );
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it('takes a frame exactly where it nests no deeper than the limit, long or short', () => {
    const depthOf = (value: unknown): number =>
      typeof value !== 'object' || value === null
        ? 0
        : 1 + Math.max(0, ...Object.values(value).map((each) => depthOf(each)));
    const padding = fc.constantFrom('', '[{'.repeat(40), 'x'.repeat(2_000), '[{"\\'.repeat(600));
    fc.assert(
      fc.property(message, padding, fc.integer({ min: 1, max: 9 }), (each, pad, maxDepth) => {
        const padded = { ...each, pad };
        const expected = depthOf(padded) > maxDepth ? 'ERR_FRAME_MALFORMED' : 'nothing';
        const limits = { ...WIRE_LIMITS, maxDepth };
        expect(codeOf(() => decode(limits, [framed(JSON.stringify(padded))]))).toBe(expected);
        expect(codeOf(() => encodeFrame(padded, limits))).toBe(
          expected === 'nothing' ? 'nothing' : 'ERR_JOB_INVALID',
        );
      }),
      { numRuns: 300 },
    );
  });

  it('lets the same words pass as values', () => {
    for (const word of FORBIDDEN) {
      const bytes = encodeFrame({ kind: 'result', id: 1, value: [word] }, WIRE_LIMITS);
      expect(decode(WIRE_LIMITS, [bytes])).toEqual([{ kind: 'result', id: 1, value: [word] }]);
    }
  });
});
