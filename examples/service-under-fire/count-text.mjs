/** What a Node worker does with a document: count its words, sentences and most frequent terms. */

const TERMS = 10;
/** Unicode's White_Space, spelt out: `\s` means something else in JavaScript and in Python. */
const SPACE = '\\u0009-\\u000d\\u0020\\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const WORD = /[A-Za-z0-9]+/g;
/** The last character of what ends a sentence: looking at one character keeps a long row of dots linear. */
const SENTENCE_END = new RegExp(`[.!?](?=[${SPACE}]|$)`, 'g');

/**
 * @param {string} text
 * @returns {{ words: number, sentences: number, terms: [string, number][] }}
 */
export const countText = (text) => {
  const words = text.match(WORD) ?? [];
  const counts = new Map();
  for (const word of words) {
    const term = word.toLowerCase();
    counts.set(term, (counts.get(term) ?? 0) + 1);
  }
  const byCountThenBytes = ([a, countA], [b, countB]) => countB - countA || (a < b ? -1 : 1);
  return {
    words: words.length,
    sentences: (text.match(SENTENCE_END) ?? []).length,
    terms: [...counts].sort(byCountThenBytes).slice(0, TERMS),
  };
};
