/**
 * Every chart explains itself: the root and every state have a `description` (or `meta.description`), and the root's
 * `meta: { events: { TYPE: 'what it means' } }` names every event, as XState has no place for that. The events are those
 * that the chart reacts to, and no others; its own timers explain themselves.
 */

import { describe, expect, it } from 'vitest';
import type { AnyStateMachine } from 'xstate';
import { CompiledChart } from '../../src/chart/compile.ts';
import { charts } from './charts.ts';

type Node = AnyStateMachine['root'];

const nodesOf = (node: Node): readonly Node[] => [node, ...Object.values(node.states).flatMap(nodesOf)];

const descriptionOf = (node: Node): unknown =>
  node.description ?? (node.meta as { description?: unknown } | undefined)?.description;

const isSentence = (text: unknown): boolean => typeof text === 'string' && /^\p{Lu}.{2,}[.:]$/su.test(text);

describe.each(await charts())('the chart $name', ({ machine }) => {
  it('describes the whole and each of its states in a sentence', () => {
    const silent = nodesOf(machine.root)
      .filter((node) => !isSentence(descriptionOf(node)))
      .map(({ id }) => id);
    expect(silent).toEqual([]);
  });

  it('describes each event it reacts to, and no others', () => {
    const events =
      (machine.root.meta as { events?: Readonly<Record<string, string>> } | undefined)?.events ?? {};
    const reactsTo = new CompiledChart(machine).events.filter((type) => !type.startsWith('xstate.after.'));
    expect(Object.keys(events).sort()).toEqual([...reactsTo].sort());
    expect(Object.entries(events).filter(([, text]) => !isSentence(text))).toEqual([]);
  });
});
