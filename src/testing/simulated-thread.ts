/**
 * A fake thread whose behaviour a test scripts. What it posts, prints and how it ends arrives as I/O of the simulated host, in order.
 *
 * Invariant: messages are copied as a real thread's are, so that what cannot be copied is refused here too; after `ended` nothing is
 * told. It keeps all that was posted to it.
 */
import type { ThreadEnd, ThreadListeners, ThreadPort, ThreadSpec, Transferable } from '../base/host.ts';
import type { Outside } from './simulated-process.ts';

/** What a fake thread does of its own accord; every part may be left out. */
export interface ThreadScript {
  /** It has taken a message. */
  readonly onMessage?: (message: unknown, thread: SimulatedThread) => void;
  /** It cannot be ended: native code holds it. */
  readonly unkillable?: boolean;
  /** It cannot be started at all. */
  readonly fails?: Error;
}

export class SimulatedThread implements ThreadPort {
  readonly spec: ThreadSpec;
  /** All that was posted to it, in order. */
  readonly posted: unknown[] = [];
  killed = false;
  /** How it ended, once its owner has been told. */
  end: ThreadEnd | undefined;
  readonly #outside: Outside;
  readonly #listeners: ThreadListeners;
  readonly #script: ThreadScript;
  #exiting = false;

  constructor(
    outside: Outside,
    { spec, script = {} }: { readonly spec: ThreadSpec; readonly script?: ThreadScript },
    listeners: ThreadListeners,
  ) {
    this.#outside = outside;
    this.spec = spec;
    this.#script = script;
    this.#listeners = listeners;
    if (script.fails !== undefined) this.exit(1, script.fails);
    else if (outside.fault('process.start')?.kind === 'early_exit') this.exit(1);
  }

  post(message: unknown, transfer?: readonly Transferable[]): void {
    const copy: unknown = structuredClone(message, { transfer: [...(transfer ?? [])] as ArrayBuffer[] });
    if (this.#exiting) return;
    this.posted.push(copy);
    this.#outside.arrive(this.posted, 'thread.input', () => {
      if (!this.#exiting) this.#script.onMessage?.(copy, this);
    });
  }

  kill(): void {
    if (this.killed || this.#exiting) return;
    this.killed = true;
    this.#end({ code: 1, stuck: this.#script.unkillable === true });
  }

  /** It posts a message. */
  emit(message: unknown): void {
    const copy: unknown = structuredClone(message);
    if (!this.#exiting) this.#tell('thread.message', () => this.#listeners.message(copy));
  }

  /** It prints. */
  print(text: string, descriptor: 1 | 2 = 2): void {
    const bytes = new TextEncoder().encode(text);
    if (!this.#exiting) this.#tell('thread.stderr', () => this.#listeners.stderr(bytes, descriptor));
  }

  /** It ends of its own accord, or by what it throws. */
  exit(code: number, error?: unknown): void {
    const outOfMemory = (error as NodeJS.ErrnoException | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY';
    this.#end({ code, stuck: false, outOfMemory, ...(error === undefined ? {} : { error }) });
  }

  #end(how: Pick<ThreadEnd, 'code' | 'stuck'> & Partial<ThreadEnd>): void {
    if (this.#exiting) return;
    this.#exiting = true;
    const end: ThreadEnd = { killed: this.killed, outOfMemory: false, ...how };
    this.#tell('thread.ended', () => {
      this.end = end;
      this.#listeners.ended(end);
    });
  }

  #tell(label: string, tell: () => void): void {
    this.#outside.arrive(this, label, tell);
  }
}
