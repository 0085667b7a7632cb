/**
 * What the commands that run code have of the terminal: both outputs, lines that are typed, and Ctrl-C. Contracts only.
 *
 * `src/cli.ts` hands it in, so that commands know no process.
 */

/** A signal that asks a command to end. */
export type EndSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

/** A line that was typed; or its end, where no more will come; or Ctrl-C instead of one. */
export type Typed = { readonly text: string } | 'end' | 'interrupted';

export interface Question {
  readonly prompt: string;
  /** What is typed is not shown. */
  readonly secret?: boolean;
  /** It can be called back by the arrow keys. */
  readonly remembered?: boolean;
}

export interface Console {
  /** Both stdin and stdout are a terminal. */
  readonly interactive: boolean;
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** To stdout, as it is; resolves when there is room for more. */
  write(text: string): Promise<void>;
  /** To stderr, as it is; resolves when there is room for more. */
  complain(text: string): Promise<void>;
  /** The next line; a question asked before, and not answered, is over. */
  ask(question: Question): Promise<Typed>;
  /** Sees each line that is typed at a terminal while nothing is asked; `true`: it was meant for whoever listens. Returns what ends it. */
  onLine(listener: (line: string) => boolean): () => void;
  /** Hears of every signal, of Ctrl-C as often as it is pressed. Returns what ends it. */
  onSignal(listener: (signal: EndSignal) => void): () => void;
  /** Gives the terminal back. */
  close(): void;
}

/** A command of `troupe` that runs code. */
export interface CodeCommand {
  /** How it is called, for help. */
  readonly usage: string;
  /** One line. */
  readonly summary: string;
  /** Resolves with the exit code. */
  run(args: readonly string[], console: Console): Promise<number>;
}
