/**
 * Lines of a terminal: text in tones, cropped to the columns there are.
 *
 * Invariants: what comes from the observed program cannot move the cursor, ring, or turn the reading direction: control and
 * direction characters are shown as a dot. A line is never wider than its columns, and ends in no tone.
 */

export type Tone = 'plain' | 'strong' | 'faint' | 'good' | 'bad' | 'wait' | 'ending' | 'accent' | 'inverse';

export interface Span {
  readonly text: string;
  readonly tone?: Tone;
}

export type Line = readonly Span[];

/** Sequences of the 16 colours that every terminal theme sets to be readable. */
const SEQUENCES: Readonly<Record<Tone, string>> = {
  plain: '',
  strong: '\u001b[1m',
  faint: '\u001b[2m',
  good: '\u001b[32m',
  bad: '\u001b[31;1m',
  wait: '\u001b[33m',
  ending: '\u001b[35m',
  accent: '\u001b[36m',
  inverse: '\u001b[7m',
};
const RESET = '\u001b[0m';

/** Text of the observed program, as a terminal may be given it. */
export const harmless = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '·');

const isWide = (code: number): boolean =>
  (code >= 0x1100 && code <= 0x115f) ||
  (code >= 0x2e80 && code <= 0xa4cf) ||
  (code >= 0xac00 && code <= 0xd7a3) ||
  (code >= 0xf900 && code <= 0xfaff) ||
  (code >= 0xfe30 && code <= 0xfe6f) ||
  (code >= 0xff00 && code <= 0xff60) ||
  (code >= 0x1f300 && code <= 0x1faff) ||
  (code >= 0x20000 && code <= 0x3fffd);

const columnsOf = (character: string): number => {
  if (/\p{Mn}/u.test(character)) return 0;
  return isWide(character.codePointAt(0) ?? 0) ? 2 : 1;
};

export const widthOf = (text: string): number => {
  let width = 0;
  for (const character of text) width += columnsOf(character);
  return width;
};

/** Cut to a width; where something is cut off, it ends in `…`. */
export const cropped = (text: string, columns: number): string => {
  if (widthOf(text) <= columns) return text;
  if (columns <= 0) return '';
  let [kept, width] = ['', 0];
  for (const character of text) {
    if (width + columnsOf(character) > columns - 1) break;
    kept += character;
    width += columnsOf(character);
  }
  return `${kept}…`;
};

export const padded = (text: string, columns: number): string =>
  text + ' '.repeat(Math.max(0, columns - widthOf(text)));

const inTone = (text: string, tone: Tone | undefined, hasColour: boolean): string => {
  const sequence = hasColour && tone !== undefined ? SEQUENCES[tone] : '';
  return sequence === '' ? text : `${sequence}${text}${RESET}`;
};

export const spanWidth = (line: Line): number => line.reduce((sum, { text }) => sum + widthOf(text), 0);

/** A line as it is written. */
export const written = (line: Line, columns: number, hasColour: boolean): string => {
  let [left, text] = [columns, ''];
  const isCropped = spanWidth(line) > columns;
  for (const [i, span] of line.entries()) {
    if (left <= 0) break;
    const rest = line.slice(i + 1);
    // What is cut off after this span is told at its end.
    const fits = widthOf(span.text) <= left && !(isCropped && widthOf(span.text) === left && rest.length > 0);
    const part = fits ? span.text : cropped(`${span.text}${isCropped ? ' ' : ''}`, left);
    text += inTone(part, span.tone, hasColour);
    left -= widthOf(part);
  }
  return text;
};
