/** What the wire thread lays down for the main thread, and the jobs that a session takes. Contracts only. */

/** The names of the jobs, as `ready` announces them. */
export const JOBS = [
  'open',
  'execute',
  'input_response',
  'respond',
  'namespace',
  'history',
  'checkpoint',
  'restore',
  'stats',
] as const;

export type Arguments = Readonly<Record<string, unknown>>;

export type ToMain =
  | { readonly kind: 'job'; readonly id: number; readonly name: string; readonly args: Arguments }
  /** The input that was waited for; `null` is its end. */
  | { readonly kind: 'input'; readonly request: number; readonly text: string | null }
  | { readonly kind: 'response'; readonly request: number; readonly args: Arguments }
  /** Stop the execution under way; `hard`: whatever else runs, too, and without waiting for anybody. */
  | { readonly kind: 'stop'; readonly reason: string; readonly hard: boolean }
  /** What the main thread ran was terminated. */
  | { readonly kind: 'terminated' }
  | { readonly kind: 'shutdown' };
