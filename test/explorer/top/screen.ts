/** A terminal for tests: it takes what is written, has the size that it is given, and sends keys. */
import type { Screen } from '../../../src/explorer/cli/subcommand.ts';

export class FakeScreen implements Screen {
  columns = 100;
  rows = 30;
  readonly hasColour = false;
  entered = 0;
  left = 0;
  #written = '';
  readonly #waiting = new Set<() => void>();
  #resized: (() => void) | undefined;
  #keys: ((keys: string) => void) | undefined;

  write(text: string): void {
    this.#written = text;
    for (const look of [...this.#waiting]) look();
  }

  enter(): () => void {
    this.entered += 1;
    return () => {
      this.left += 1;
    };
  }

  onResize(listener: () => void): () => void {
    this.#resized = listener;
    return () => {
      this.#resized = undefined;
    };
  }

  onKeys(listener: (keys: string) => void): () => void {
    this.#keys = listener;
    return () => {
      this.#keys = undefined;
    };
  }

  get isHeard(): boolean {
    return this.#keys !== undefined || this.#resized !== undefined;
  }

  press(keys: string): void {
    this.#keys?.(keys);
  }

  resize(columns: number, rows: number): void {
    this.columns = columns;
    this.rows = rows;
    this.#resized?.();
  }

  /** What is on the screen now, line by line. */
  get lines(): readonly string[] {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: terminals are told by them
    return this.#written.replace(/\u001b\[[0-9]*[A-Z]/g, '').split('\r\n');
  }

  /** Resolves when the picture fits. */
  until(fits: (lines: readonly string[]) => boolean): Promise<readonly string[]> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!fits(this.lines)) return;
        this.#waiting.delete(look);
        resolve(this.lines);
      };
      this.#waiting.add(look);
      look();
    });
  }
}
