/** What a subcommand of `troupe` is. Each is a file of its own beside this one, and a row in `src/cli.ts`. */

/** A terminal that can be drawn on and that hears single keys. */
export interface Screen {
  readonly columns: number;
  readonly rows: number;
  readonly hasColour: boolean;
  write(text: string): void;
  /** Takes the whole screen; returns what gives it back as it was, which may be called twice. */
  enter(): () => void;
  /** Returns what ends it. */
  onResize(listener: () => void): () => void;
  /** Hears keys as the terminal sends them, several at once where they come at once; Ctrl-C as well. Returns what ends it. */
  onKeys(listener: (keys: string) => void): () => void;
}

/** What a subcommand has of the terminal and the process around it. */
export interface Terminal {
  /** A line on stdout: what was asked for. */
  print(line: string): void;
  /** A line on stderr: everything else. */
  complain(line: string): void;
  /** Resolves when the user wants it to end. */
  readonly interrupted: Promise<void>;
  /** Absent: no variables. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Absent where stdout or stdin is no terminal. */
  readonly screen?: Screen;
  /** Asks for a line that is not shown while it is typed; `undefined` where nobody answers. */
  ask?(question: string): Promise<string | undefined>;
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
