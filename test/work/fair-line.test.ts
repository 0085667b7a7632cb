import { describe, expect, it } from 'vitest';
import { FairLine, LEVELS, type Queued } from '../../src/work/fair-line.ts';

class Guest implements Queued<Guest> {
  next: Guest | undefined = undefined;
  previous: Guest | undefined = undefined;
  inLine = false;
  readonly order: number;
  constructor(
    readonly name: string,
    readonly since: number,
    readonly level: number,
    readonly key: string | undefined,
  ) {
    this.order = orders++;
  }
}

let orders = 0;
const guest = (name: string, since = 0, priority: keyof typeof LEVELS = 'normal', key?: string): Guest =>
  new Guest(name, since, LEVELS[priority] as number, key);

const lineOf = (agingMs: number, ...guests: Guest[]): FairLine<Guest> => {
  const line = new FairLine<Guest>(agingMs);
  for (const each of guests) line.push(each);
  return line;
};

const served = (line: FairLine<Guest>): string => {
  const names: string[] = [];
  for (let next = line.shift(); next !== undefined; next = line.shift()) names.push(next.name);
  return names.join('');
};

describe('a fair line', () => {
  it('serves by priority, and within a priority first come, first served', () => {
    const line = lineOf(
      1_000,
      guest('d', 0, 'low'),
      guest('b'),
      guest('c'),
      guest('a', 0, 'critical'),
      guest('e', 0, 'low'),
    );
    expect(served(line)).toBe('abcde');
    expect(line.size).toBe(0);
  });

  it('lets who has waited for agingMs go before one priority more urgent, and not a moment sooner', () => {
    expect(served(lineOf(1_000, guest('a', 0, 'low'), guest('b', 1_000, 'normal')))).toBe('ba');
    expect(served(lineOf(1_000, guest('a', 0, 'low'), guest('b', 1_001, 'normal')))).toBe('ab');
    expect(served(lineOf(1_000, guest('a', 0, 'low'), guest('b', 3_001, 'critical')))).toBe('ab');
  });

  it('never lets age count for anything where agingMs is Infinity', () => {
    const line = lineOf(
      Infinity,
      guest('d', 0, 'low'),
      guest('c'),
      guest('b', 9e9, 'high'),
      guest('a', 9e9, 'critical'),
    );
    expect(served(line)).toBe('abcd');
  });

  it('serves keys in turns: a flood of one delays another by one job', () => {
    const flood = ['1', '2', '3', '4'].map((name) => guest(name, 0, 'normal', 'flood'));
    const line = lineOf(
      1_000,
      ...flood,
      guest('a', 0, 'normal', 'other'),
      guest('b', 0, 'normal', 'other'),
      guest('x'),
    );
    expect(served(line)).toBe('1ax2b34');
  });

  it('lets anyone leave from the midst without costing a turn, and forgets a key that nobody waits for', () => {
    const [a1, a2, b1] = [
      guest('a1', 0, 'normal', 'a'),
      guest('a2', 0, 'normal', 'a'),
      guest('b1', 0, 'normal', 'b'),
    ];
    const line = lineOf(1_000, a1, a2, b1);
    line.remove(a1);
    expect([line.first, line.size]).toEqual([a2, 2]);
    line.remove(a2);
    line.push(a2);
    expect(served(line)).toBe('b1a2');
  });

  it('takes back at its head who had his turn before', () => {
    const [a, b] = [guest('a', 0, 'normal', 'a'), guest('b', 0, 'normal', 'b')];
    const line = lineOf(1_000, a, b);
    expect(line.shift()).toBe(a);
    line.unshift(a);
    expect(served(line)).toBe('ab');
  });

  it('knows who matters least: of the lowest priority, whoever came first', () => {
    const line = lineOf(1_000, guest('a'), guest('c', 5, 'low'), guest('d', 9, 'low'));
    expect(line.least?.name).toBe('c');
  });
});
