/** An executor of scripted kernels on a simulated host, with everything it emits, and readers of executions. */
import type { EventType, TroupeEvent } from '../../src/base/telemetry.ts';
import type { Execution, ExecutionEvent } from '../../src/execution/execution.ts';
import { codeExecutor, type ExecutorHandle } from '../../src/execution/executor.ts';
import type { Session } from '../../src/execution/session.ts';
import type { ExecutorOptions, SessionOptions } from '../../src/execution/session-options.ts';
import { createSystem, type System } from '../../src/kernel/system.ts';
import {
  type ScriptedKernel,
  type ScriptedKernelOptions,
  scriptedKernel,
} from '../../src/testing/scripted-kernel.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

export interface SessionRig {
  readonly host: SimulatedHost;
  readonly system: System;
  readonly kernel: ScriptedKernel;
  readonly executor: ExecutorHandle;
  readonly events: readonly TroupeEvent[];
  of<T extends EventType>(type: T): readonly Extract<TroupeEvent, { type: T }>[];
  open(options?: Partial<SessionOptions>): Promise<Session>;
}

export const sessionRig = async (
  options: ExecutorOptions = {},
  kernelOptions: ScriptedKernelOptions = {},
  host = new SimulatedHost(),
): Promise<SessionRig> => {
  const system = createSystem({ host });
  const events: TroupeEvent[] = [];
  system.events.listen((event) => events.push(event));
  const kernel = scriptedKernel(kernelOptions);
  const executor = await host.runUntil(system.start(codeExecutor('code', { kernels: [kernel], ...options })));
  return {
    host,
    system,
    kernel,
    executor,
    events,
    of: (type) => events.filter((event) => event.type === type) as never,
    open: (given) => host.runUntil(executor.session({ language: 'scripted', ...given })),
  };
};

/** Everything that an execution tells, read at once. */
export interface Reading {
  readonly events: ExecutionEvent[];
  /** Of each event its kind, of output its text. */
  readonly words: string[];
  done: boolean;
}

export const read = (execution: Execution): Reading => {
  const reading: Reading = { events: [], words: [], done: false };
  void (async () => {
    for await (const event of execution) {
      reading.events.push(event);
      reading.words.push(event.kind === 'output' ? event.text : event.kind);
    }
    reading.done = true;
  })();
  return reading;
};
