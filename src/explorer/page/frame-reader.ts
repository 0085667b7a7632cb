/**
 * Reads frames out of a stream of server-sent events, however its text is cut into pieces.
 *
 * Invariant: a frame is given once, whole and in order; a hole in the numbers is told as `'hole'`, after which nothing is given.
 */
import type { Frame } from '../protocol.ts';

export class FrameReader {
  #rest = '';
  #next: number | undefined;
  #broken = false;

  take(text: string): (Frame | 'hole')[] {
    const taken: (Frame | 'hole')[] = [];
    this.#rest += text;
    for (let end = this.#rest.indexOf('\n\n'); end >= 0; end = this.#rest.indexOf('\n\n')) {
      const block = this.#rest.slice(0, end);
      this.#rest = this.#rest.slice(end + 2);
      const data = block
        .split('\n')
        .filter((line) => line.startsWith('data: '))
        .map((line) => line.slice('data: '.length))
        .join('\n');
      if (data === '' || this.#broken) continue;
      const frame = JSON.parse(data) as Frame;
      if (this.#next !== undefined && frame.seq !== this.#next) {
        this.#broken = true;
        taken.push('hole');
        continue;
      }
      this.#next = frame.seq + 1;
      taken.push(frame);
    }
    return taken;
  }
}
