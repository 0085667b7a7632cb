/**
 * How a worker process is launched: which command, with which environment.
 *
 * Invariant: the environment is an allow-list, so that no secret of the service reaches a worker unasked; no
 * shell is involved; secrets belong in `env`, never in `args`, which every user of the machine can read.
 */
import { existsSync } from 'node:fs';
import { basename, delimiter, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { createError } from '../base/errors.ts';
import type { ProcessSpec } from '../base/host.ts';
import { refuse } from '../base/options.ts';
import { pythonSdkFolder } from './assets.ts';
import { DESCRIPTORS_VARIABLE } from './messages.ts';

/** What of a worker's launch a user can choose. */
export interface LaunchOptions {
  /**
   * The worker's own file, run by the language's interpreter. A relative path starts at this process's
   * working directory. Either this or `command` is needed.
   */
  readonly module?: string | URL | undefined;
  /** The language of `module`. Default: `'python'` for a name ending in `.py`, else `'node'`. */
  readonly language?: 'node' | 'python' | undefined;
  /**
   * An executable that speaks the protocol; with `module`, the interpreter (default this Node, or `python3`).
   */
  readonly command?: string | undefined;
  /** Arguments, after the module if there is one. */
  readonly args: readonly string[];
  /** Variables to set for the worker. They win over inherited ones. */
  readonly env: Readonly<Record<string, string>>;
  /** Names of variables to hand on from this process, besides {@link INHERITED}. */
  readonly passEnv: readonly string[];
  /** Its working directory. Default this process's own. */
  readonly cwd?: string | undefined;
  /** Where it converses: `'own'` descriptors 3 and 4, or `'stdio'`: 0 and 1. */
  readonly descriptors: 'own' | 'stdio';
}

/**
 * What every worker inherits where it is set: what programs need to be found and to speak the user's
 * language.
 */
export const INHERITED: readonly string[] = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR'];
/** Without these nothing starts on Windows. */
const INHERITED_ON_WINDOWS: readonly string[] = ['SystemRoot', 'TEMP', 'TMP', 'PATHEXT', 'USERPROFILE'];

type Language = 'node' | 'python' | 'any';

/** A launch worked out: what to spawn, and a word for it. */
export interface Launch {
  readonly name: string;
  readonly spec: ProcessSpec;
  /** The file that must exist, where that is known: a `command` of one's own may look for it elsewhere. */
  readonly module: string | undefined;
}

/** What Node adds to the name of a module that does not exist by itself. */
const NODE_ENDINGS: readonly string[] = ['', '.js', '.json', '.node'];

/** Refuses a launch that is bound to fail. @throws ERR_WORKER_START */
export const verifyLaunch = ({ name, module }: Launch): void => {
  if (module === undefined) return;
  const endings = name === 'node' ? NODE_ENDINGS : [''];
  if (endings.some((ending) => existsSync(module + ending))) return;
  const why = `its module ${module} does not exist`;
  throw createError('ERR_WORKER_START', { worker: `a ${name} worker`, why, module });
};

/** Works out what to spawn. Reads this process's environment now, once. */
export const planLaunch = (where: string, options: LaunchOptions): Launch => {
  const { module, language, command, args, cwd, descriptors } = options;
  if (module === undefined && command === undefined)
    refuse(where, 'module', 'given, unless command is', module);
  if (module === undefined && language !== undefined)
    refuse(where, 'language', 'left out without module', language);
  const path = module === undefined ? undefined : pathOf(module);
  const spoken: Language =
    path === undefined ? 'any' : (language ?? (path.endsWith('.py') ? 'python' : 'node'));
  const spec: ProcessSpec = {
    command: command ?? (spoken === 'python' ? 'python3' : process.execPath),
    args: Object.freeze(path === undefined ? [...args] : [path, ...args]),
    env: environmentOf(spoken, options),
    ownGroup: true,
    protocolFds: descriptors === 'own',
    ...(cwd === undefined ? {} : { cwd }),
  };
  return {
    name: spoken === 'any' ? basename(spec.command) : spoken,
    spec: Object.freeze(spec),
    module: command === undefined ? path : undefined,
  };
};

/** Where a module's file is. */
export const pathOf = (module: string | URL): string =>
  module instanceof URL || module.startsWith('file:') ? fileURLToPath(module) : resolve(module);

/** What is allowed of this process's environment, and what is set besides. Reads it now, once. */
export const allowedEnvironment = ({
  env: set,
  passEnv,
}: Pick<LaunchOptions, 'env' | 'passEnv'>): Record<string, string> => {
  const env: Record<string, string> = Object.create(null) as Record<string, string>;
  const windows = process.platform === 'win32' ? INHERITED_ON_WINDOWS : [];
  for (const name of [...INHERITED, ...windows, ...passEnv]) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return Object.assign(env, set);
};

const environmentOf = (language: Language, options: LaunchOptions): Readonly<Record<string, string>> => {
  const env = allowedEnvironment(options);
  env[DESCRIPTORS_VARIABLE] = options.descriptors === 'own' ? '3,4' : 'stdio';
  if (language === 'python') {
    env['PYTHONPATH'] = [pythonSdkFolder(), env['PYTHONPATH']].filter(Boolean).join(delimiter);
  }
  return Object.freeze(env);
};
