/** Who has a process of a session: what it needs of its owner, and what is told. Contracts only. */
import type { Host } from '../base/host.ts';
import type { LifeSettings } from './session-life.ts';
import type { SessionNews } from './session-news.ts';
import type { SessionProcess } from './session-process.ts';

/** How a process is watched and ended, ms. */
export interface ProcessSettings extends LifeSettings {
  readonly operationTimeoutMs: number;
  readonly pingEveryMs: number;
  readonly pingTimeoutMs: number;
  readonly busyLivenessMs: number;
}

/** Whose process it is, and who hears of it. Told in the turn in which it happens; none may throw. */
export interface ProcessOwner {
  readonly host: Host;
  readonly path: string;
  readonly news: SessionNews;
  readonly settings: ProcessSettings;
  readonly keepsCheckpoints: boolean;
  /** Builds the namespace: asks what is to be asked first, in order. */
  open(process: SessionProcess, cwd: string): Promise<void>;
  /** The execution was a success, and the namespace may have changed. Must not reject. */
  takeCheckpoint(process: SessionProcess): Promise<void>;
  /** It takes code from now on. */
  available(process: SessionProcess): void;
  gone(process: SessionProcess): void;
}

/** Whoever waits for its start and its end. */
export interface ProcessWatcher {
  started(): void;
  gone(): void;
}
