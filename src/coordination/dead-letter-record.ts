/**
 * What a segment of dead letters consists of: records, each a length, a checksum and JSON, one behind the other.
 *
 * Invariant: bytes that stop anywhere (the process was killed, the disk was full) cost at most the record that was being
 * written; what is read back is what was written, or is not read at all. Lengths are checked before anything is made of
 * them.
 */
import { crc32 } from 'node:zlib';

/** A length and a checksum, 4 bytes each, big-endian. */
const HEAD_BYTES = 8;
/** The largest letter, bytes of JSON. */
export const LARGEST_LETTER = 16 * 1_024 * 1_024;

export type LetterRecord =
  | { readonly kind: 'letter'; readonly id: number; readonly letter: StoredLetter }
  | { readonly kind: 'deleted'; readonly id: number };

/** A letter as it is written. */
export interface StoredLetter {
  readonly topic: string;
  readonly payload: unknown;
  readonly error: string;
  readonly attempts: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Wall clock, ms. */
  readonly at: number;
}

export const encodeRecord = (record: LetterRecord): Buffer => {
  const body = Buffer.from(JSON.stringify(record));
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(body.length, 0);
  head.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([head, body]);
};

export interface ReadSegment {
  readonly records: readonly { readonly record: LetterRecord; readonly bytes: number }[];
  /** Up to where the file is whole. */
  readonly whole: number;
}

/** Reads as far as the bytes are whole. */
export const decodeSegment = (bytes: Buffer): ReadSegment => {
  const records: { record: LetterRecord; bytes: number }[] = [];
  let at = 0;
  while (bytes.length - at >= HEAD_BYTES) {
    const length = bytes.readUInt32BE(at);
    const end = at + HEAD_BYTES + length;
    // No record is empty: zeros, which a file system may leave at the end of a file, are no records.
    if (length === 0 || length > LARGEST_LETTER || end > bytes.length) break;
    const body = bytes.subarray(at + HEAD_BYTES, end);
    if (crc32(body) !== bytes.readUInt32BE(at + 4)) break;
    records.push({ record: JSON.parse(body.toString('utf8')) as LetterRecord, bytes: end - at });
    at = end;
  }
  return { records, whole: at };
};
