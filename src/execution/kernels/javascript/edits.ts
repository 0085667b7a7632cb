/**
 * Edits of a text by position, applied in one go. Invariant: lines stay where they are, so that errors name the lines that the user
 * wrote; what is inserted or blanked out never adds or takes a line.
 */
interface Edit {
  readonly at: number;
  readonly end: number;
  readonly text: string;
  /** Among edits at one place: the order in which they were made. */
  readonly order: number;
}

export class Edits {
  readonly #edits: Edit[] = [];

  insert(at: number, text: string): void {
    this.#edits.push({ at, end: at, text, order: this.#edits.length });
  }

  /** Inserts before what was inserted at the same place so far. */
  insertBefore(at: number, text: string): void {
    this.#edits.push({ at, end: at, text, order: -this.#edits.length - 1 });
  }

  /** Replaces a stretch; line breaks within it are kept, after the new text. */
  replace(code: string, at: number, end: number, text: string): void {
    const breaks = code.slice(at, end).replace(/[^\n\r\u2028\u2029]/g, '');
    this.#edits.push({ at, end, text: text + breaks, order: this.#edits.length });
  }

  /** The text between two places, edited. */
  apply(code: string, from = 0, to = code.length): string {
    const sorted = this.#edits
      .filter(({ at, end }) => at >= from && end <= to)
      .sort((a, b) => a.at - b.at || a.order - b.order);
    let edited = '';
    let done = from;
    for (const { at, end, text } of sorted) {
      // Inside of what was replaced already.
      if (at < done) continue;
      edited += code.slice(done, at) + text;
      done = end;
    }
    return edited + code.slice(done, to);
  }
}

/** As long, on as many lines, and nothing in it. */
export const blank = (text: string): string => text.replace(/[^\n\r\u2028\u2029]/g, ' ');
