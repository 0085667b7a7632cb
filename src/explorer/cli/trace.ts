/**
 * What happens, as JSON lines: one entry of a journal a line, with its kind as `entry`. For `grep`, `jq` and other tools.
 *
 * Invariant: every line is one JSON object; what is missing between two lines is told by the entry `gap`.
 */
import type { Host } from '../../base/host.ts';
import type { Frame, Recording, Watch } from '../protocol.ts';
import { Line } from './line.ts';
import type { Terminal } from './subcommand.ts';
import type { Target } from './target.ts';

const KINDS = { facts: 'fact', messages: 'message', steps: 'step' } as const;

const lineOf = (entry: string, told: object): string => JSON.stringify({ entry, ...told });

/** The lines of a frame; none where it is not of a journal. */
const linesOf = ({ type, body }: Frame): readonly string[] => {
  if (type === 'gap') return [lineOf('gap', body)];
  if (type !== 'facts' && type !== 'messages' && type !== 'steps') return [];
  const entries = (body as Readonly<Record<string, readonly object[]>>)[type] ?? [];
  return entries.map((entry) => lineOf(KINDS[type], entry));
};

/** What a recording holds, in the order in which it happened. */
export const traceOfRecording = ({ facts, steps = [] }: Recording): readonly string[] =>
  [
    ...facts.map((fact) => ({ at: fact.at, line: lineOf('fact', fact) })),
    ...steps.map((step) => ({ at: step.at, line: lineOf('step', step) })),
  ]
    .sort((a, b) => a.at - b.at)
    .map(({ line }) => line);

export interface TraceOptions {
  readonly host: Host;
  readonly target: Target;
  /** Paths of actors whose charts' steps are wanted. */
  readonly actors: readonly string[];
}

/** Prints what happens until the user has seen enough; rejects where it cannot be seen. */
export const follow = (
  { host, target, actors }: TraceOptions,
  { print, complain, interrupted }: Terminal,
): Promise<void> =>
  new Promise((resolve, reject) => {
    const watch: Watch = {
      tree: false,
      application: false,
      metrics: false,
      facts: { below: '' },
      messages: { below: '' },
      actors,
      steps: actors.length > 0,
    };
    const line = new Line({
      host,
      target,
      watch: () => watch,
      status: (status) => {
        if (status.kind === 'refused') reject(new Error(`${target.base}: ${status.why}`));
        else if (status.kind === 'lost')
          complain(`${target.base}: ${status.why}; tried again in ${status.retryInMs} ms`);
      },
      frame: (frame) => {
        for (const one of linesOf(frame)) print(one);
      },
    });
    void interrupted.then(() => {
      line.close();
      resolve();
    });
    line.open();
  });
