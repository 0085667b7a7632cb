import { describe, expect, test } from 'vitest';
import { besideChart, inKernel } from '../orderly-repository.ts';

describe('branching on the state of a chart', () => {
  test.each([
    "if (thing.snapshot.value === 'half_open') return 1;",
    "if ('closed' !== thing.value) return 1;",
    "return thing.state == 'closed';",
    "const { workerState } = thing;\nreturn workerState === 'probing';",
    "switch (thing.getSnapshot()) {\n case 'closed': return 1;\n}",
    "return thing.matches('half_open');",
    "return thing.snapshot.matches({ half_open: 'probing' });",
    "return ['closed', 'x'].includes(thing.state);",
    "return thing.snapshot.value['region'] === 'closed';",
  ])('%s is refused', (code) => {
    const said = besideChart(code);
    expect(said.length).toBe(1);
    expect(said[0]).toMatch(/^src\/kernel\/a\.ts:\d chart-states: branches on the chart state '/);
  });

  test.each([
    "return thing.verdict === 'closed';",
    "return thing.state === 'admit';",
    "return thing === 'closed';",
    "return /closed/.test(thing) && thing.stated === 'closed';",
    "return { state: 'closed' };",
    "return ['closed'].includes(thing.name);",
    "return thing.url.matches('nothing of ours');",
  ])('%s is let be', (code) => {
    expect(besideChart(code)).toEqual([]);
  });

  test('where no chart has such a state, no word is one', () => {
    expect(inKernel("export const a = (thing: { state: string }) => thing.state === 'closed';")).toEqual([]);
  });
});
