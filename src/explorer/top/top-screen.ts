/**
 * `troupe top` on a screen: draws what the line tells, hears keys, follows the size of the terminal.
 *
 * Invariants: it asks for no more rows than it shows. It draws at most every {@link DRAW_EVERY_MS}, and only what differs from what is
 * there. Whatever ends it, the terminal is as it was, once.
 */
import type { Host, Timer } from '../../base/host.ts';
import { Line, type LineStatus } from '../cli/line.ts';
import type { Screen } from '../cli/subcommand.ts';
import type { Target } from '../cli/target.ts';
import { LIMITS, type Watch } from '../protocol.ts';
import { widthOf, written } from './styled-text.ts';
import { topLines, treeRoom } from './top-lines.ts';
import { TopModel } from './top-model.ts';

const DRAW_EVERY_MS = 50;
/** Countdowns move though nothing comes. */
const TICK_MS = 1_000;
const LONGEST_QUERY = 200;

/** All that is watched beside the tree. */
export const WATCHED: Watch = {
  supervision: true,
  breakers: true,
  pools: true,
  recoveries: true,
  application: true,
  metrics: true,
};

const HOME = '\u001b[H';
/** Before the text: behind it, it would take a line's last sign with it where the line is full. */
const EMPTY_LINE = '\u001b[2K';
const REST_OF_SCREEN = '\u001b[J';
// biome-ignore lint/suspicious/noControlCharactersInRegex: terminals send keys by them
const KEY = /\u001b\[[0-9;]*[A-Za-z~]|\u001bO[A-Z]|./gsu;

/** What moves the tree, in rows; `page` is what is seen of it. */
const MOVES: Readonly<Record<string, (page: number) => number>> = {
  '\u001b[A': () => -1,
  '\u001bOA': () => -1,
  k: () => -1,
  '\u001b[B': () => 1,
  '\u001bOB': () => 1,
  j: () => 1,
  '\u001b[5~': (page) => -page,
  '\u001b[6~': (page) => page,
  ' ': (page) => page,
  '\u001b[H': () => Number.NEGATIVE_INFINITY,
  g: () => Number.NEGATIVE_INFINITY,
  '\u001b[F': () => Number.POSITIVE_INFINITY,
  G: () => Number.POSITIVE_INFINITY,
};

export interface TopOptions {
  readonly host: Host;
  readonly target: Target;
  readonly screen: Screen;
  readonly query: string;
}

export class TopScreen {
  /** Why it ended by itself; `undefined`: the user wanted it. */
  readonly ended: Promise<string | undefined>;
  readonly #host: Host;
  readonly #screen: Screen;
  readonly #line: Line;
  readonly #model = new TopModel();
  readonly #undo: (() => void)[] = [];
  #settle: (why: string | undefined) => void = () => undefined;
  #status: LineStatus = { kind: 'connecting' };
  #lostAt = 0;
  /** The observed process's clock beyond ours. */
  #clockAhead = 0;
  #query: string;
  #typing: string | undefined;
  #from = 0;
  #asked = '';
  #drawn = '';
  #drawing: Timer | undefined;
  #tick: Timer | undefined;
  #over = false;

  constructor({ host, target, screen, query }: TopOptions) {
    this.#host = host;
    this.#screen = screen;
    this.#query = query;
    this.ended = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#line = new Line({
      host,
      target,
      watch: () => this.#watch(),
      status: (status) => this.#heard(status),
      frame: (frame) => {
        if (frame.type === 'hello') this.#clockAhead = frame.body.at - host.wall();
        this.#model.take(frame);
        this.#soon();
      },
    });
  }

  start(): void {
    this.#undo.push(
      this.#screen.enter(),
      this.#screen.onResize(() => {
        this.#drawn = '';
        this.#soon();
      }),
      this.#screen.onKeys((keys) => {
        for (const key of keys.match(KEY) ?? []) this.#press(key);
      }),
    );
    this.#line.open();
    this.#draw();
    this.#ticking();
  }

  /** Gives the terminal back; `why` where it was not the user's wish. */
  end(why?: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#line.close();
    this.#drawing?.cancel();
    this.#tick?.cancel();
    for (const undo of this.#undo.reverse()) undo();
    this.#settle(why);
  }

  #watch(): Watch {
    const count = Math.min(LIMITS.windowRows, Math.max(1, this.#room()));
    const tree = { query: this.#query, from: this.#from, count };
    this.#asked = JSON.stringify(tree);
    return { ...WATCHED, tree };
  }

  /** Asks for the rows that are to be seen, where those are others than before. */
  #askAgain(): void {
    const before = this.#asked;
    const watch = this.#watch();
    if (this.#asked !== before) void this.#line.watch(watch);
  }

  #heard(status: LineStatus): void {
    if (status.kind === 'refused') {
      this.end(status.why);
      return;
    }
    if (status.kind === 'lost') this.#lostAt = this.#host.monotonic();
    this.#status = status;
    this.#soon();
  }

  #view() {
    const { columns, rows } = this.#screen;
    const now = this.#host.wall() + this.#clockAhead;
    const typing = this.#typing;
    return { model: this.#model, columns, rows, now, trouble: this.#trouble(), query: this.#query, typing };
  }

  #trouble(): string {
    if (this.#status.kind !== 'lost') return '';
    const { why, retryInMs } = this.#status;
    const left = Math.max(0, Math.ceil((this.#lostAt + retryInMs - this.#host.monotonic()) / 1_000));
    return `connection lost (${why}), tried again in ${left} s`;
  }

  #room(): number {
    return treeRoom(this.#view());
  }

  // ── drawing ───────────────────────────────────────────────────────────────────────────────

  #soon(): void {
    if (this.#over) return;
    this.#drawing ??= this.#host.timer(DRAW_EVERY_MS, 'top draw', () => {
      this.#drawing = undefined;
      this.#draw();
    });
  }

  #ticking(): void {
    this.#tick = this.#host.timer(TICK_MS, 'top tick', () => {
      this.#draw();
      this.#ticking();
    });
  }

  #draw(): void {
    if (this.#over) return;
    const { columns, hasColour } = this.#screen;
    const lines = topLines(this.#view()).map((line) => EMPTY_LINE + written(line, columns, hasColour));
    const picture = lines.join('\r\n');
    if (picture !== this.#drawn) this.#screen.write(`${HOME}${picture}${REST_OF_SCREEN}`);
    this.#drawn = picture;
    this.#askAgain();
  }

  // ── keys ──────────────────────────────────────────────────────────────────────────────────

  #press(key: string): void {
    if (key === '\u0003') this.end();
    else if (this.#typing !== undefined) this.#type(key, this.#typing);
    else if (key === 'q' || key === 'Q') this.end();
    else if (key === '/') this.#typing = this.#query;
    else if (key === '\u001b') this.#filter('');
    else if (MOVES[key] !== undefined) this.#move(MOVES[key](this.#room()));
    if (!this.#over) this.#draw();
  }

  #type(key: string, typed: string): void {
    if (key === '\r' || key === '\n') {
      this.#typing = undefined;
      this.#filter(typed);
    } else if (key === '\u001b') this.#typing = undefined;
    else if (key === '\u007f' || key === '\b') this.#typing = [...typed].slice(0, -1).join('');
    else if (key === '\u0015') this.#typing = '';
    else if (widthOf(key) > 0 && !/\p{Cc}/u.test(key)) this.#typing = (typed + key).slice(0, LONGEST_QUERY);
  }

  #filter(query: string): void {
    this.#query = query.trim();
    this.#from = 0;
  }

  #move(by: number): void {
    const rows = this.#model.tree?.rows ?? 0;
    this.#from = Math.max(0, Math.min(rows - this.#room(), this.#from + by));
  }
}
