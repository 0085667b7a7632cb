/**
 * What a simulated run did, step by step: a hash always, the labels themselves only where they were asked for.
 *
 * Invariant: equal runs have equal hashes in every process; nothing of it depends on what ran before.
 */

const OFFSET = 0x811c9dc5;
const PRIME = 0x01000193;
/** Labels whose hash is remembered; then it starts over. */
const REMEMBERED = 10_000;

const hashes = new Map<string, number>();

const hashOf = (label: string): number => {
  const known = hashes.get(label);
  if (known !== undefined) return known;
  let hash = OFFSET;
  for (let i = 0; i < label.length; i++) hash = Math.imul(hash ^ label.charCodeAt(i), PRIME);
  if (hashes.size >= REMEMBERED) hashes.clear();
  hashes.set(label, hash);
  return hash;
};

export class Trace {
  #hash = OFFSET;
  readonly #lines: string[] | undefined;

  constructor(keepsLines: boolean) {
    this.#lines = keepsLines ? [] : undefined;
  }

  note(kind: string, label: string, value: number): void {
    this.#hash = Math.imul(this.#hash ^ hashOf(label), PRIME);
    this.#hash = Math.imul(this.#hash ^ (value | 0), PRIME);
    this.#lines?.push(`${kind} ${label} ${value}`);
  }

  /** Eight hexadecimal digits. */
  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0');
  }

  get lines(): readonly string[] {
    return this.#lines ?? [];
  }
}
