/**
 * Structured concurrency: a function and a scope that ends with it.
 *
 * Invariant: when it settles, no task of the scope runs that heeds its signal, and no error was lost: it rejects with the first
 * failure, or with all of them where they were collected. Its own function is a task like the others.
 */
import { createError } from '../base/errors.ts';
import type { Awaitable } from '../kernel/logic.ts';
import { rejectLater } from '../resilience/call.ts';
import { type Scope, type ScopeOptions, TaskScope } from './scope.ts';
import type { ScopeReport } from './scope-report.ts';

/** The name of the task that is the function itself. */
const BODY = 'body';

/**
 * Runs `work` with a scope of its own and resolves to what it returns, when all the scope's tasks have ended. The first failure
 * (of a task or of `work`) cancels the rest and is what it rejects with; with `onFailure: 'collect'` the tasks run to their
 * end, and it rejects with ERR_SCOPE_FAILED, whose `cause` is an AggregateError of all. A failure of `work` itself always
 * cancels the rest.
 *
 * @throws ERR_SCOPE_FAILED, ERR_SCOPE_STRAGGLERS, ERR_DEADLINE_PASSED, the signal's reason, and what tasks throw;
 *   ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const withScope = <T>(
  work: (scope: Scope) => Awaitable<T>,
  options: ScopeOptions = {},
): Promise<T> => {
  let scope: TaskScope;
  try {
    scope = new TaskScope('withScope', options);
    options.signal?.throwIfAborted();
  } catch (error) {
    return rejectLater(error);
  }
  return run(scope, work);
};

const run = async <T>(scope: TaskScope, work: (scope: Scope) => Awaitable<T>): Promise<T> => {
  const body = scope.start(BODY, () => work(scope), { kind: 'lifecycle' });
  let value: T | undefined;
  let failure: { readonly error: unknown } | undefined;
  const ended = body.result.then(
    (result) => {
      value = result;
    },
    (error: unknown) => {
      failure = { error };
      return scope.close(error);
    },
  );
  // Whichever comes first: all is over by itself, or the scope is closed over it.
  const closed = new Promise<void>((resolve) => scope.onEnd(resolve));
  await Promise.race([ended.then(() => scope.idle()), closed]);
  const cause = scope.closing ? { reason: scope.signal.reason as unknown } : undefined;
  const report = await scope.close();
  throwFailures(scope, report, cause ?? failure);
  return value as T;
};

/** `cause`: why it was closed before all had ended, or what the function itself threw. */
const throwFailures = (
  scope: TaskScope,
  report: ScopeReport,
  cause: { readonly reason?: unknown; readonly error?: unknown } | undefined,
): void => {
  const { failures, stragglers } = report;
  if (scope.collects && failures.length > 0) {
    const errors = failures.map(({ error }) => error);
    const data = { where: scope.where, failed: report.failed, tasks: failures.map(({ task }) => task) };
    throw createError('ERR_SCOPE_FAILED', data, { cause: new AggregateError(errors) });
  }
  const first = failures[0];
  if (first !== undefined) throw first.error;
  if (cause !== undefined) throw 'reason' in cause ? cause.reason : cause.error;
  if (stragglers.length > 0) {
    const data = { where: scope.where, tasks: stragglers.map(({ name }) => name) };
    throw createError('ERR_SCOPE_STRAGGLERS', data);
  }
};
