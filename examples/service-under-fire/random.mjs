/**
 * A seeded source of chance: one seed, one run of draws. The launcher's own, so that the attack shares no code with
 * what it attacks. Not for secrets.
 */

/** FNV-1a over the characters; turns a seed and a purpose into an independent stream of draws. */
const mix = (seed, purpose) => {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (const character of purpose) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193) >>> 0;
  return hash;
};

/**
 * @param {number} seed a whole number from 0 to 2^32 − 1
 * @param {string} purpose streams for different purposes do not disturb each other
 */
export const createRandom = (seed, purpose) => {
  let state = mix(seed >>> 0, purpose);
  // mulberry32: small, and good enough to shuffle faults and pick documents.
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (min, max) => min + next() * (max - min);
  /** @template T @param {readonly T[]} items @returns {T} */
  const pick = (items) => /** @type {T} */ (items[Math.floor(next() * items.length)]);
  /** @template T @param {readonly T[]} items @returns {T[]} */
  const shuffle = (items) => {
    const shuffled = [...items];
    for (let last = shuffled.length - 1; last > 0; last--) {
      const other = Math.floor(next() * (last + 1));
      [shuffled[last], shuffled[other]] = [
        /** @type {T} */ (shuffled[other]),
        /** @type {T} */ (shuffled[last]),
      ];
    }
    return shuffled;
  };
  return { next, between, pick, shuffle };
};
