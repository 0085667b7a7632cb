/**
 * How a worker process is launched: which command, with which environment.
 *
 * Invariant: the environment is an allow-list, so that no secret of the service reaches a worker unasked; no
 * shell is involved; secrets belong in `env`, never in `args`, which every user of the machine can read.
 */
import { existsSync } from 'node:fs';
import { basename, delimiter, join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { createError } from '../base/errors.ts';
import type { ProcessSpec } from '../base/host.ts';
import { refuse } from '../base/options.ts';
import { pythonSdkFolder } from './assets.ts';
import { DESCRIPTORS_VARIABLE, PARENT_VARIABLE } from './messages.ts';

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
  /**
   * On Linux, has the kernel kill the worker when this process dies, even one that is stopped or deep in native code. It needs
   * `setpriv` (util-linux) on the PATH, or a worker in Python. The kernel's rule is about the *thread* that started it: use it from
   * the main thread only. Elsewhere it does nothing. Default `false`.
   */
  readonly parentDeathSignal: boolean;
  /**
   * A folder of this service's own where its workers are written down while they live. The next start of the service ends there what a
   * `kill -9` left: stopped workers, and whatever workers had started. Needs `/proc`; elsewhere it does nothing.
   */
  readonly registry?: string | undefined;
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
  /** What was asked for and this machine cannot do. */
  readonly missing: string | undefined;
}

/** What Node adds to the name of a module that does not exist by itself. */
const NODE_ENDINGS: readonly string[] = ['', '.js', '.json', '.node'];

/** Refuses a launch that is bound to fail. @throws ERR_WORKER_START */
export const verifyLaunch = ({ name, module, missing }: Launch): void => {
  if (missing !== undefined)
    throw createError('ERR_WORKER_START', { worker: `a ${name} worker`, why: missing });
  if (module === undefined) return;
  const endings = name === 'node' ? NODE_ENDINGS : [''];
  if (endings.some((ending) => existsSync(module + ending))) return;
  const why = `its module ${module} does not exist`;
  throw createError('ERR_WORKER_START', { worker: `a ${name} worker`, why, module });
};

/** Works out what to spawn. Reads this process's environment now, once. */
export const planLaunch = (where: string, options: LaunchOptions): Launch => {
  const { module, language, command, args, cwd, descriptors, registry } = options;
  if (module === undefined && command === undefined)
    refuse(where, 'module', 'given, unless command is', module);
  if (module === undefined && language !== undefined)
    refuse(where, 'language', 'left out without module', language);
  const path = module === undefined ? undefined : pathOf(module);
  const spoken: Language =
    path === undefined ? 'any' : (language ?? (path.endsWith('.py') ? 'python' : 'node'));
  const executable = command ?? (spoken === 'python' ? 'python3' : process.execPath);
  const bond = options.parentDeathSignal && process.platform === 'linux' ? bondOf(spoken) : NO_BOND;
  const spec: ProcessSpec = {
    command: bond.prefix[0] ?? executable,
    args: Object.freeze([
      ...bond.prefix.slice(1),
      ...(bond.prefix.length > 0 ? [executable] : []),
      ...(path === undefined ? [] : [path]),
      ...args,
    ]),
    env: Object.freeze({ ...environmentOf(spoken, options), ...bond.env }),
    ownGroup: true,
    protocolFds: descriptors === 'own',
    ...(cwd === undefined ? {} : { cwd }),
    ...(registry === undefined ? {} : { registry: resolve(registry) }),
  };
  return {
    name: spoken === 'any' ? basename(executable) : spoken,
    spec: Object.freeze(spec),
    module: command === undefined ? path : undefined,
    missing: bond.missing,
  };
};

/** How a worker is bound to the life of this process by the kernel. */
interface Bond {
  /** The command that binds it and then becomes it. */
  readonly prefix: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly missing?: string;
}

const NO_BOND: Bond = { prefix: [], env: {} };

const bondOf = (language: Language): Bond => {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const setpriv = folders.map((folder) => join(folder, 'setpriv')).find((file) => existsSync(file));
  if (setpriv !== undefined) return { prefix: [setpriv, '--pdeathsig', 'KILL', '--'], env: {} };
  // The SDK asks the kernel itself, and then whether this process still is its parent.
  if (language === 'python') return { prefix: [], env: { [PARENT_VARIABLE]: String(process.pid) } };
  return { ...NO_BOND, missing: 'parentDeathSignal needs setpriv (util-linux), which is not on the PATH' };
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
