import { describe, expect, it } from 'vitest';
import { type Waiting, WaitQueue } from '../../src/work/wait-queue.ts';

class Guest implements Waiting<Guest> {
  next: Guest | undefined;
  previous: Guest | undefined;
  inLine = false;
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

const lineOf = (...names: string[]) => {
  const line = new WaitQueue<Guest>();
  const guests = names.map((name) => new Guest(name));
  for (const guest of guests) line.push(guest);
  return { line, guests, names: () => [...line].map(({ name }) => name) };
};

describe('a line', () => {
  it('serves first who came first', () => {
    const { line } = lineOf('a', 'b', 'c');
    expect([line.shift()?.name, line.shift()?.name, line.shift()?.name, line.shift()]).toEqual([
      'a',
      'b',
      'c',
      undefined,
    ]);
    expect(line.size).toBe(0);
  });

  it('lets anyone leave from any place, once', () => {
    const { line, guests, names } = lineOf('a', 'b', 'c');
    const [a, b, c] = guests as [Guest, Guest, Guest];
    line.remove(b);
    line.remove(b);
    expect(names()).toEqual(['a', 'c']);
    line.remove(c);
    line.remove(a);
    expect([line.size, line.first]).toEqual([0, undefined]);
    expect([a.next, c.previous, b.inLine]).toEqual([undefined, undefined, false]);
  });

  it('takes back at its head who had his turn before', () => {
    const { line, names } = lineOf('a', 'b');
    const first = line.shift() as Guest;
    line.unshift(first);
    expect(names()).toEqual(['a', 'b']);
    const { line: empty, names: alone } = lineOf();
    empty.unshift(first);
    expect(alone()).toEqual(['a']);
  });
});
