/**
 * Writes the state diagrams of the guides, as the charts draw themselves: each block between `<!-- chart: name -->` and the end of
 * the fence below it. `test/docs/charts.test.ts` holds the guides to it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { circuitBreakerMachine } from '../actors/circuit-breaker.machine.ts';
import { toMermaid } from '../src/chart/mermaid.ts';

/** The charts that guides show, by name. */
const CHARTS = { 'circuit-breaker': circuitBreakerMachine } as const;

/** The guides that show charts. */
export const ILLUSTRATED: readonly string[] = ['guides/resilience.md', 'guides/policies/circuit-breaker.md'];

const BLOCK = /<!-- chart: ([a-z-]+) -->\n```mermaid\n[\s\S]*?```\n/g;

/** A guide with its diagrams as they are now. */
export const illustrated = (page: string): string =>
  page.replace(BLOCK, (block, name: string) => {
    const machine = CHARTS[name as keyof typeof CHARTS];
    return machine === undefined
      ? block
      : `<!-- chart: ${name} -->\n\`\`\`mermaid\n${toMermaid(machine)}\`\`\`\n`;
  });

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const name of ILLUSTRATED) {
    const file = new URL(`../docs/${name}`, import.meta.url);
    writeFileSync(file, illustrated(readFileSync(file, 'utf8')));
  }
