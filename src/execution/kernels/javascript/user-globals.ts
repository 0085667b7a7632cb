/**
 * What user code finds besides the language: what rewritten code calls of the kernel, `require` relative to where the code is, and, in a
 * script, what Node gives to a script.
 *
 * Invariant: what rewritten code calls cannot be replaced by user code.
 */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { Cancelled, ExitSignal } from './execution.ts';
import { Loader } from './loader.ts';
import { CELLS, KERNEL } from './rewrite.ts';

export interface GlobalsOptions {
  readonly cells: Int32Array;
  readonly loader: Loader;
  readonly mainFile: string | undefined;
  /** Throws where what runs is to stop. */
  readonly check: () => void;
  readonly exit: (code: unknown) => never;
}

const { defineProperty } = Object;

const define = (target: object, name: string, value: unknown, enumerable = false): void => {
  defineProperty(target, name, { value, writable: true, enumerable, configurable: true });
};

export const installGlobals = ({ cells, loader, mainFile, check, exit }: GlobalsOptions): void => {
  const fixed = { enumerable: false, writable: false, configurable: false };
  const kernel = {
    check,
    pass: (error: unknown) => {
      if (error instanceof Cancelled || error instanceof ExitSignal) throw error;
    },
    load: (base: string) => loader.from(base),
    meta: (base: string) => loader.meta(base),
    pick: Loader.pick,
  };
  defineProperty(globalThis, KERNEL, { value: Object.freeze(kernel), ...fixed });
  defineProperty(globalThis, CELLS, { value: cells, ...fixed });
  define(globalThis, 'require', createRequire(mainFile ?? join(process.cwd(), 'session')));
  define(process, 'exit', exit, true);
};

/** Arguments, and for a file the names that Node gives to a module. */
export const prepareScript = (file: string | undefined, argv: unknown): void => {
  const given = Array.isArray(argv) ? argv.map(String) : [];
  process.argv = [process.execPath, file ?? '-', ...given];
  process.exitCode = undefined;
  // Where the session's capabilities took it away there is nothing to point elsewhere.
  if (file === undefined || !('process' in globalThis)) return;
  const module = { exports: {}, filename: file, id: '.', loaded: false, children: [], paths: [] };
  const require = createRequire(file);
  require.main = module as unknown as NodeJS.Module;
  const names = { require, module, exports: module.exports, __filename: file, __dirname: dirname(file) };
  for (const [name, value] of Object.entries(names)) define(globalThis, name, value);
};
