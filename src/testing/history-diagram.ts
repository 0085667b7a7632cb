/**
 * A history as a Mermaid sequence diagram: clients, what they share, calls and answers in their order.
 *
 * Invariant: the last answer is the one that does not fit. It draws what it is given.
 */
import type { Operation } from './history.ts';
import type { SequentialModel } from './linearizability.ts';

/** Longer words are cut: a diagram is to be read. */
const LONGEST_WORDS = 80;

/** Mermaid takes `;` and `#` for its own. */
const words = (value: unknown): string => {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
  const safe = text.replace(/[;#]/g, ',').replace(/\s+/g, ' ');
  return safe.length > LONGEST_WORDS ? `${safe.slice(0, LONGEST_WORDS - 1)}…` : safe;
};

const wordsFor = (model: SequentialModel, operation: Operation): { call: string; answer: string } => {
  const { call, answer } = model.describe?.(operation) ?? { call: operation.input, answer: operation.output };
  return { call: words(call), answer: words(answer) };
};

/** The diagram of a run that began in one of the states `from`. */
export const drawHistory = (
  model: SequentialModel,
  run: readonly Operation[],
  from: readonly unknown[],
): string => {
  const clients = [...new Set(run.map(({ client }) => client))];
  const names = new Map(clients.map((client, index) => [client, `C${index}`]));
  const shared = `${model.name} ${run[0]?.key ?? ''}`.trim();
  const lines = [
    'sequenceDiagram',
    ...clients.map((client) => `  participant ${names.get(client)} as ${words(client)}`),
    `  participant S as ${words(shared)}`,
    `  Note over S: at first ${words(from.map((state) => JSON.stringify(state)).join(' or '))}`,
  ];
  const moments = run.flatMap((operation) => {
    const name = names.get(operation.client);
    const { call, answer } = wordsFor(model, operation);
    const called = { at: operation.calledAt, line: `  ${name}->>S: ${call}` };
    return operation.outcome === 'known'
      ? [called, { at: operation.returnedAt, line: `  S-->>${name}: ${answer}` }]
      : [called, { at: Number.POSITIVE_INFINITY, line: `  S--x${name}: ${call} is still open` }];
  });
  moments.sort((a, b) => a.at - b.at);
  const last = moments.filter(({ at }) => at !== Number.POSITIVE_INFINITY).length - 1;
  for (const [index, { line }] of moments.entries()) {
    lines.push(line);
    if (index === last) lines.push('  Note over S: no order of these explains this answer');
  }
  return lines.join('\n');
};
