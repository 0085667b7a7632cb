/** What an execution needs of its session, and what its session hears of it. Contracts only. */
import type { Host } from '../base/host.ts';
import type { CapabilityPolicy } from './capability-policy.ts';
import type { CodeRun } from './code-run.ts';
import type { ExecutionOutcome } from './execution.ts';
import type { FloodLimits } from './flood-watch.ts';
import type { PendingPromises } from './pending-promises.ts';
import type { SessionNews } from './session-news.ts';
import type { OutputOptions, Provider, SessionLimits } from './session-options.ts';

export interface RunDesk {
  readonly host: Host;
  /** The session's path. */
  readonly path: string;
  readonly session: string;
  readonly user: string | undefined;
  readonly news: SessionNews;
  readonly promises: PendingPromises;
  readonly policy: CapabilityPolicy;
  readonly providers: Readonly<Record<string, Provider>>;
  readonly inputTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly limits: SessionLimits;
  readonly floods: FloodLimits | undefined;
  readonly output: Required<OutputOptions>;
  /** The session is free of it. */
  finished(run: CodeRun): void;
  /** How it ended for its caller; what is to be awaited before he is told. */
  concluded(run: CodeRun, outcome: ExecutionOutcome): Promise<void> | undefined;
}
