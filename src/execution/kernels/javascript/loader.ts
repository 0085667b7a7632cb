/**
 * How user code gets at modules: `import`, in all its forms, relative to the file or folder that the code belongs to.
 *
 * Invariant: where the session's capabilities do not leave the language as it is, only modules that touch nothing outside are given.
 */
import { isBuiltin } from 'node:module';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';

type Load = (specifier: unknown, options?: unknown) => Promise<Record<string, unknown>>;

/** Modules of Node that only compute. */
const COMPUTING: ReadonlySet<string> = new Set([
  'assert',
  'assert/strict',
  'buffer',
  'events',
  'path',
  'path/posix',
  'path/win32',
  'punycode',
  'querystring',
  'string_decoder',
  'timers/promises',
  'url',
  'util',
]);

export class Loader {
  #refuse: ((specifier: string) => Error) | undefined;

  /** From now on only computing modules are given; `refuse` makes the error for others. */
  restrict(refuse: (specifier: string) => Error): void {
    this.#refuse = refuse;
  }

  /** Whether a module may be had. @throws what `refuse` made */
  check(specifier: string): void {
    if (this.#refuse === undefined || COMPUTING.has(specifier.replace(/^node:/, ''))) return;
    throw this.#refuse(specifier);
  }

  /** `import()` for code that belongs to a file. */
  from(base: string): Load {
    return async (given, options) => {
      const specifier = String(given);
      this.check(specifier);
      const where = resolved(specifier, base);
      const { type } = (options as { with?: { type?: unknown } } | undefined)?.with ?? {};
      // The one kind of attributes that Node knows; spelled out, for bundlers to leave it alone.
      const module: unknown = type === 'json' ? import(where, { with: { type: 'json' } }) : import(where);
      return (await module) as Record<string, unknown>;
    };
  }

  /** `import.meta` for code that belongs to a file. */
  meta(base: string): object {
    const url = pathToFileURL(base).href;
    return {
      url,
      filename: base,
      dirname: dirname(base),
      resolve: (specifier: string) => resolved(specifier, base),
    };
  }

  /** What an `import` declaration names, all of which must be there. @throws SyntaxError */
  static pick(module: Record<string, unknown>, names: readonly string[], specifier: string): unknown {
    for (const name of names) {
      if (!(name in module))
        throw new SyntaxError(
          `The requested module '${specifier}' does not provide an export named '${name}'`,
        );
    }
    return module;
  }
}

const resolved = (specifier: string, base: string): string => {
  if (isBuiltin(specifier) || /^(?:data|node|file):/.test(specifier)) return specifier;
  const from = pathToFileURL(base).href;
  if (/^(?:\.{1,2})?\//.test(specifier)) return new URL(specifier, from).href;
  return import.meta.resolve(specifier, from);
};
