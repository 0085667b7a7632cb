/**
 * Shows one execution at a terminal: what it prints as it comes, its questions, and Ctrl-C.
 *
 * Invariants: everything that it printed is out before this resolves; code that prints faster than the terminal takes it waits. Ctrl-C
 * asks it to end; the session sees to it that it does, by force where it must.
 */
import type { Execution } from '../execution.ts';
import type { ExecuteOptions } from '../execution-options.ts';
import type { Session } from '../session.ts';
import type { Console, EndSignal } from './console.ts';

/** What is shown: MIME types that are text, the plainest first. */
const SHOWN = ['text/plain', 'text/markdown'];

const displayed = (data: Readonly<Record<string, string>>): string => {
  const kind = SHOWN.find((each) => data[each] !== undefined);
  return kind === undefined ? `[${Object.keys(data).join(', ')}]\n` : `${data[kind]}\n`;
};

/** How an execution ended, and by which signal that was asked for. */
export interface Shown {
  readonly outcome: PromiseSettledResult<Awaited<Execution['result']>>;
  readonly signal: EndSignal | undefined;
  /** Whether the last of what it printed ended a line. */
  readonly isLineOver: boolean;
}

export interface ShowPlan {
  readonly code: string;
  readonly options: Omit<ExecuteOptions, 'onInput'>;
}

export const show = async (
  session: Session,
  console: Console,
  { code, options }: ShowPlan,
): Promise<Shown> => {
  let signal: EndSignal | undefined;
  let isLineOver = true;
  const execution = session.execute(code, {
    ...options,
    onInput: async ({ prompt, secret }) => {
      const typed = await console.ask({ prompt, secret });
      isLineOver = true;
      return typeof typed === 'string' ? null : typed.text;
    },
  });
  const deafen = console.onSignal((heard) => {
    signal = heard;
    execution.cancel(heard === 'SIGINT' ? 'Ctrl-C' : heard);
  });
  try {
    for await (const event of execution) {
      if (event.kind === 'output') {
        isLineOver = event.text.endsWith('\n');
        await (event.stream === 'stderr' ? console.complain(event.text) : console.write(event.text));
      } else if (event.kind === 'display') {
        isLineOver = true;
        await console.write(displayed(event.data));
      }
    }
    const [outcome] = await Promise.allSettled([execution.result]);
    return { outcome, signal, isLineOver };
  } finally {
    deafen();
  }
};
