/** Who waits for what becomes of something: told once, in the order of asking, and forgotten. */
export class Waiters<K, V> {
  readonly #waiting = new Map<K, ((value: V) => void)[]>();

  add(key: K, told: (value: V) => void): void {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) this.#waiting.set(key, [told]);
    else waiting.push(told);
  }

  tell(key: K, value: V): void {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return;
    this.#waiting.delete(key);
    for (const told of waiting) told(value);
  }
}
