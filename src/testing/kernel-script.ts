/**
 * The language of scripted session kernels: what a line of code does, and the names that code sets. Code is JSON, a list of steps:
 * `[["print", "a"], ["wait", 5], ["value", 1]]`. It runs nothing.
 */
import type { WorkerJob } from '../work/worker-port.ts';

/** What a line of scripted code does. */
export type KernelStep =
  /** Prints; on stderr where it says so. Waits for credit. */
  | readonly ['print', string, ('stdout' | 'stderr')?]
  /** The same, so many times. */
  | readonly ['repeat', number, string]
  /** Sets a name. */
  | readonly ['set', string, unknown]
  /** Takes so long; a cancellation breaks into it. */
  | readonly ['wait', number]
  /** Runs for ever. It may ignore a cancellation, and an interruption as well. */
  | readonly ['hang', ('cancel' | 'interrupt')?]
  /** Asks for input and sets `input` to what it got. */
  | readonly ['input', string]
  /** Asks a provider and sets `answer` to what it got. */
  | readonly ['request', string, unknown]
  | readonly ['progress', unknown]
  /** What kernels of other versions may send. */
  | readonly ['chunk', unknown]
  /** Ends with a value. */
  | readonly ['value', unknown]
  /** Ends with the value of a name. */
  | readonly ['read', string]
  | readonly ['throw', string, string]
  /** The process ends. */
  | readonly ['crash', { readonly code?: number; readonly signal?: string; readonly outOfMemory?: boolean }]
  /** It says something that is no frame. */
  | readonly ['garbage']
  /** It answers nothing from now on. */
  | readonly ['freeze'];

/** Code for a scripted kernel. */
export const script = (...steps: readonly KernelStep[]): string => JSON.stringify(steps);

/** Code under way. */
export interface ScriptedExecution {
  readonly job: WorkerJob;
  readonly steps: readonly KernelStep[];
  at: number;
  repeated: number;
  value: { readonly value: unknown } | undefined;
  readonly changed: string[];
  /** What a cancellation does now. */
  stubborn: 'cancel' | 'interrupt' | undefined;
  wake: ((text: unknown) => void) | undefined;
}

/** The namespace of a scripted kernel: one object for its life. Its process takes what is set as `residentBytes`. */
export class ScriptedNames extends Map<string, unknown> {
  /** Answers a question about it, as a kernel does. */
  answer(question: string, args: Readonly<Record<string, unknown>>): unknown {
    if (question === 'checkpoint')
      return {
        format: 'scripted',
        data: Object.fromEntries([...this].map(([name, value]) => [name, JSON.stringify(value)])),
        kept: [...this.keys()],
        lost: [],
      };
    if (question === 'restore') return this.#restore(args['data'] as Readonly<Record<string, string>>);
    if (question === 'stats')
      return { namespaceSize: this.size, residentBytes: this.get('residentBytes') ?? 0 };
    if (question !== 'namespace') return [];
    if (args['action'] === 'clear') this.clear();
    if (args['action'] === 'merge') return this.#merge(args['values'] as Readonly<Record<string, unknown>>);
    return [...this].map(([name, value]) => ({
      name,
      type: typeof value,
      size: 1,
      repr: JSON.stringify(value),
    }));
  }

  #restore(data: Readonly<Record<string, string>>): unknown {
    for (const [name, value] of Object.entries(data)) this.set(name, JSON.parse(value));
    return { restored: Object.keys(data), lost: [] };
  }

  #merge(values: Readonly<Record<string, unknown>>): unknown {
    for (const [name, value] of Object.entries(values)) this.set(name, value);
    return { changed: Object.keys(values) };
  }
}
