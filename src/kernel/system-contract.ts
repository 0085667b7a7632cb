/** A system as users and the layers above see it: what can be asked of it, how it is made, what it counts. */
import type { Host } from '../base/host.ts';
import type { EventStream } from '../base/telemetry.ts';
import type { FlightRecorder } from './flight-recorder.ts';
import type { Addressee, CallOptions, Told } from './logic.ts';
import type { ExitReason } from './reason.ts';
import type { Ref } from './ref.ts';
import type { Spec } from './spec.ts';
import type { TreeNode } from './tree.ts';

/** Options of {@link createSystem}. */
export interface SystemOptions {
  /** Default: the real one. */
  readonly host?: Host;
  /** `'async'` carries AsyncLocalStorage by message and names the owners of stray errors; it costs. Default `'none'`. */
  readonly context?: 'none' | 'async';
}

/** What has been counted since the start. Cumulative, except `stragglers`, which is a gauge. */
export interface Counters {
  deadLetters: number;
  dropped: number;
  fenced: number;
  started: number;
  ended: number;
  crashed: number;
  /** Children that a supervisor has started again. */
  restarted: number;
  /** Errors thrown where nobody could be told: `reap`, a late close. */
  threw: number;
  /** Handlers still running after their actor ended. */
  stragglers: number;
}

/** A running system, as users and the layers above see it. */
export interface System {
  readonly host: Host;
  readonly events: EventStream;
  readonly counters: Readonly<Counters>;
  /** The last lifecycle facts, kept whether or not anyone listens. */
  readonly recorder: FlightRecorder;
  /** When it was made, ms of the wall clock. */
  readonly startedAt: number;
  /** The handle of a spec that stands in this system. @throws ERR_SPEC_UNKNOWN */
  get<H>(spec: Spec<H>): H;
  /** Starts a spec at the root; resolves after its init. @throws ERR_INIT_FAILED, ERR_SPEC_DUPLICATE, ERR_STOPPING … */
  start<H>(spec: Spec<H>): Promise<H>;
  /** Stops an actor in order and resolves with the reason it ended with; at once with `noproc` if it is not alive. */
  stop(
    target: Addressee,
    options?: { readonly reason?: ExitReason; readonly timeoutMs?: number },
  ): Promise<ExitReason>;
  /** Stops all roots, the last started first, and takes no new ones. Resolves when nothing lives any more. */
  shutdown(options?: { readonly timeoutMs?: number }): Promise<void>;
  tell(to: Addressee, message: unknown): Told;
  call(to: Addressee, message: unknown, options?: CallOptions): Promise<unknown>;
  /** Sends an exit signal from outside, as OTP's `exit/2`. */
  exit(to: Addressee, reason: ExitReason | 'kill'): void;
  /** Ends an actor at once with a reason, trapping or not; `terminate` does not run. */
  end(to: Addressee, reason: ExitReason): void;
  /** Holds back its mail until `resume`; control and inspection go on. */
  suspend(to: Addressee): void;
  resume(to: Addressee): void;
  whereis(name: string): Ref | undefined;
  /** Whether this very incarnation lives. */
  isAlive(ref: Ref): boolean;
  /** Everything that lives, as data. */
  tree(): readonly TreeNode[];
  /** The same as text. */
  drawTree(options?: { readonly colour?: boolean }): string;
  /** Actors that have ended while a handler of theirs still runs. */
  stragglers(): readonly Ref[];
  /** Accounts for a message that found nobody: counted, and told as `mail.dead_lettered`. */
  deadLetter(path: string, message: unknown, from?: string): void;
}
