/**
 * The built-in languages: Python and JavaScript, each session a child process that runs the kernel of its language.
 *
 * Invariants: a session's folders are its own; its temporary folder goes with each process, its working directory with the session unless
 * the user named it or a root to keep it in; nobody ever changes the working directory of the service.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createError } from '../base/errors.ts';
import { sessionKernelFile } from '../work/assets.ts';
import { type ChildProcessOptions, childProcess } from '../work/child-process.ts';
import type { KernelLaunch, KernelPlan, PreparedKernel, SessionKernel } from './session-kernel.ts';
import type { ResolvedExecutor } from './session-options.ts';

const fileOf = (language: 'python' | 'javascript'): string => {
  const found = sessionKernelFile(language);
  if (found !== undefined) return found;
  const why = 'its kernel is missing; reinstall the package';
  throw createError('ERR_WORKER_START', { worker: `a ${language} session`, why });
};

/** A folder that is gone, or cannot go, is no concern of a session that is over. */
const remove = (folder: string): Promise<void> =>
  rm(folder, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);

type Options = Pick<ResolvedExecutor, 'root' | 'registry' | 'parentDeathSignal' | 'python' | 'node'>;
type LaunchOptions = Pick<ChildProcessOptions, 'module' | 'language' | 'command'>;

class ProcessKernel implements PreparedKernel {
  readonly #plan: KernelPlan;
  readonly #options: Options;
  readonly #launch: () => LaunchOptions;
  #cwd: string | undefined;
  /** Its working directory is ours to remove. */
  #isTemporary = false;

  constructor(plan: KernelPlan, options: Options, launch: () => LaunchOptions) {
    this.#plan = plan;
    this.#options = options;
    this.#launch = launch;
  }

  async launch(): Promise<KernelLaunch> {
    const cwd = await this.#folder();
    const temporary = await mkdtemp(join(tmpdir(), 'troupe-tmp-'));
    const { env, passEnv, memoryBytes: killAtBytes } = this.#plan;
    const { registry, parentDeathSignal } = this.#options;
    const kind = childProcess({
      ...this.#launch(),
      cwd,
      env: { TMPDIR: temporary, TEMP: temporary, TMP: temporary, ...env },
      passEnv,
      killAtBytes,
      parentDeathSignal,
      ...(registry === undefined ? {} : { registry }),
    });
    return { kind, cwd, release: () => remove(temporary) };
  }

  async discard(): Promise<void> {
    if (this.#isTemporary && this.#cwd !== undefined) await remove(this.#cwd);
  }

  async #folder(): Promise<string> {
    if (this.#cwd !== undefined) return this.#cwd;
    const { cwd, session } = this.#plan;
    const { root } = this.#options;
    if (cwd !== undefined) this.#cwd = resolve(cwd);
    else if (root !== undefined) {
      this.#cwd = resolve(root, session);
      await mkdir(this.#cwd, { recursive: true });
    } else {
      this.#isTemporary = true;
      this.#cwd = await mkdtemp(join(tmpdir(), 'troupe-session-'));
    }
    return this.#cwd;
  }
}

/** The kernels of the languages that are built in. */
export const processKernels = (options: Options): readonly SessionKernel[] => {
  const kernel = (language: string, launch: () => LaunchOptions): SessionKernel =>
    Object.freeze({
      language,
      verify: () => void launch(),
      prepare: (plan: KernelPlan) => new ProcessKernel(plan, options, launch),
    });
  return [
    kernel('python', () => ({
      module: fileOf('python'),
      language: 'python',
      ...(options.python.command === undefined ? {} : { command: options.python.command }),
    })),
    kernel('javascript', () => {
      const { command } = options.node;
      const module = fileOf('javascript');
      return { module, language: 'node', ...(command === undefined ? {} : { command }) };
    }),
  ];
};
