import { describe, expect, it } from 'vitest';
import { JobTable } from '../../src/work/job-table.ts';

const job = (id: number) => ({ id });

describe('the jobs under way on a worker', () => {
  it('are found by their numbers, one or many, in whatever order they end', () => {
    const table = new JobTable<{ readonly id: number }>();
    const [a, b, c] = [job(1), job(2), job(3)];
    for (const each of [a, b, c]) table.add(each);
    expect([table.get(1), table.get(2), table.get(3), table.get(4)]).toEqual([a, b, c, undefined]);
    expect(table.delete(1)).toBe(true);
    expect(table.delete(1)).toBe(false);
    expect([table.get(1), table.get(2), table.size]).toEqual([undefined, b, 2]);
    const d = job(4);
    table.add(d);
    expect(table.delete(3)).toBe(true);
    expect(table.list()).toEqual([b, d]);
  });

  it('are told by number, though a later one took the place of an earlier', () => {
    const table = new JobTable<{ readonly id: number }>();
    for (const id of [1, 2]) table.add(job(id));
    table.delete(1);
    table.add(job(3));
    expect(table.list().map(({ id }) => id)).toEqual([2, 3]);
  });

  it('are none at first, and after the last has ended', () => {
    const table = new JobTable<{ readonly id: number }>();
    expect([table.size, table.list(), table.delete(0), table.get(0)]).toEqual([0, [], false, undefined]);
    table.add(job(0));
    table.delete(0);
    expect([table.size, table.list()]).toEqual([0, []]);
  });
});
