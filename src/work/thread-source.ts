/**
 * The code of a thread that has no file: functions as their source.
 *
 * Invariant: what cannot work as source alone is refused by name before any thread starts: functions of the engine, bound ones,
 * classes, accessors. What a function's body refers to cannot be seen from here: an unknown name fails the job that reaches it.
 */
import { Script } from 'node:vm';
import { refuse } from '../base/options.ts';
import type { JobHandler } from './running-job.ts';

const NATIVE = /\{\s*\[native code\]\s*\}\s*$/;

/**
 * A script that serves these functions.
 *
 * @throws ERR_OPTION_INVALID
 */
export const sourceOf = (
  where: string,
  handlers: Readonly<Record<string, JobHandler>>,
  sdkUrl: string,
): string => {
  const entries = Object.entries(handlers).map(
    ([name, handler]) => `[${JSON.stringify(name)}, ${expressionOf(where, name, handler)}]`,
  );
  return `'use strict';
import(${JSON.stringify(sdkUrl)}).then(({ serveWorker }) => serveWorker(Object.fromEntries([
${entries.join(',\n')}
])));`;
};

const expressionOf = (where: string, name: string, handler: JobHandler): string => {
  const source = Function.prototype.toString.call(handler);
  const field = `handlers.${name}`;
  if (NATIVE.test(source) || source.startsWith('class'))
    return refuse(where, field, 'a function of your own, for its source is sent', source);
  // A function or an arrow stands by itself; a method only in an object.
  for (const expression of [`(${source})`, methodOf(source)]) if (compiles(expression)) return expression;
  return refuse(where, field, 'a function whose source stands by itself', source);
};

/** `name() {}`, `async name() {}`, `*name() {}`, `['a name']() {}`. */
const methodOf = (source: string): string => `Object.values({ ${source} })[0]`;

const compiles = (expression: string): boolean => {
  try {
    new Script(`'use strict';(${expression})`);
    return true;
  } catch {
    return false;
  }
};
