/** The command line as a process: what is typed to it, what it prints, and how it ends. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../../src/cli.ts', import.meta.url));
const TSX = import.meta.resolve('tsx');

export interface Called {
  readonly stdout: string;
  readonly stderr: string;
  /** The exit code. */
  readonly ended: Promise<number | null>;
  type(text: string): void;
  hangUp(): void;
  signal(name: NodeJS.Signals): void;
  /** Resolves when stdout holds this. */
  prints(text: string): Promise<void>;
}

export const begin = (cwd: string, args: readonly string[]): Called => {
  const child = spawn(process.execPath, ['--import', TSX, CLI, ...args], { cwd, stdio: 'pipe' });
  let [stdout, stderr] = ['', ''];
  const watching = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    for (const look of watching) look();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  // Who has ended reads nothing.
  child.stdin.on('error', () => undefined);
  const ended = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)));
  return {
    get stdout() {
      return stdout;
    },
    get stderr() {
      return stderr;
    },
    ended,
    type: (text) => void child.stdin.write(text),
    hangUp: () => void child.stdin.end(),
    signal: (name) => void child.kill(name),
    prints: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!stdout.includes(text)) return;
          watching.delete(look);
          resolve();
        };
        watching.add(look);
        look();
        void ended.then((code) => reject(new Error(`it ended with ${code} before: ${stderr}`)));
      }),
  };
};
