/**
 * The checker's own count: words, sentences and terms of a document, straight from its bytes.
 *
 * It shares no code, no regular expression and no decoder with the workers it checks: it walks bytes. That is sound
 * because in UTF-8 a byte below 0x80 is always that ASCII character, also next to malformed sequences, and because a
 * replaced malformed sequence is neither a word, nor an end of a sentence, nor white space.
 */

/** The three bytes of white space beyond U+07FF, as one number; U+2000 to U+200A are a range of their own. */
const THREE_BYTE_SPACES = new Set([0xe19a80, 0xe280a8, 0xe280a9, 0xe280af, 0xe2819f, 0xe38080]);
const TERMS = 10;

/** Whether Unicode's White_Space starts at `index`, which is the start of a character. */
const isSpaceAt = (bytes, index) => {
  const first = bytes[index];
  if (first < 0x80) return first === 0x20 || (first >= 0x09 && first <= 0x0d);
  if (first === 0xc2) return bytes[index + 1] === 0x85 || bytes[index + 1] === 0xa0;
  if (index + 2 >= bytes.length) return false;
  const three = (first << 16) | (bytes[index + 1] << 8) | bytes[index + 2];
  return (three >= 0xe28080 && three <= 0xe2808a) || THREE_BYTE_SPACES.has(three);
};

/** The byte of a word, lower-cased; 0 for any other. */
const wordByte = (byte) => {
  if ((byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x7a)) return byte;
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : 0;
};

/**
 * @param {Uint8Array} bytes
 * @returns {{ words: number, sentences: number, terms: [string, number][] }}
 */
export const referenceCount = (bytes) => {
  /** @type {Map<string, number>} */
  const counts = new Map();
  let words = 0;
  let sentences = 0;
  let word = '';
  for (let index = 0; index <= bytes.length; index++) {
    const byte = index < bytes.length ? bytes[index] : 0;
    const letter = wordByte(byte);
    if (letter !== 0) {
      word += String.fromCharCode(letter);
      continue;
    }
    if (word !== '') {
      words += 1;
      counts.set(word, (counts.get(word) ?? 0) + 1);
      word = '';
    }
    const ends = byte === 0x2e || byte === 0x21 || byte === 0x3f;
    if (ends && (index + 1 === bytes.length || isSpaceAt(bytes, index + 1))) sentences += 1;
  }
  const terms = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, TERMS);
  return { words, sentences, terms };
};
