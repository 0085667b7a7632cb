/** What a subcommand of `troupe` is. Each is a file of its own beside this one, and a row in `src/cli.ts`. */

/** What a subcommand has of the terminal and the process around it. */
export interface Terminal {
  /** A line on stdout: what was asked for. */
  print(line: string): void;
  /** A line on stderr: everything else. */
  complain(line: string): void;
  /** Resolves when the user wants it to end. */
  readonly interrupted: Promise<void>;
}

export interface Subcommand {
  /** How it is called, for help: `explore <url|file>`. */
  readonly usage: string;
  /** One line. */
  readonly summary: string;
  /** Resolves with the exit code. */
  run(args: readonly string[], terminal: Terminal): Promise<number>;
}

/** Exit codes, as of common tools. */
export const DONE = 0;
export const FAILED = 1;
export const MISUSED = 2;
