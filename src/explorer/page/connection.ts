/**
 * The line to the server: one stream of frames read through `fetch`, and requests beside it.
 *
 * Invariants: the token is in headers alone, never in an address. A stream that skips a number, falls silent or ends is opened anew
 * where its journals left off; what cannot be read (another version, no permission) is said and not tried again in a loop.
 */
import {
  type Command,
  type CommandAnswer,
  type Frame,
  LIMITS,
  PROTOCOL_VERSION,
  type Refusal,
  type Watch,
} from '../protocol.ts';
import { FrameReader } from './frame-reader.ts';

export type LinkStatus =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  /** It is tried again at `retryAt`. */
  | { readonly kind: 'lost'; readonly since: number; readonly retryAt: number; readonly why: string }
  /** Trying again by itself would not help. */
  | { readonly kind: 'refused'; readonly why: string };

export interface Cursors {
  readonly facts?: number;
  readonly messages?: number;
  readonly steps?: number;
}

export interface ConnectionOptions {
  readonly token: string | undefined;
  readonly frame: (frame: Frame) => void;
  readonly status: (status: LinkStatus) => void;
  /** Where the journals are to go on. */
  readonly cursors: () => Cursors;
  /** A new stream has begun and waits to be told what to show. */
  readonly opened: () => void;
}

/** A refusal of the server's, in its words. */
export class RequestRefused extends Error {
  readonly code: string;
  readonly status: number;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 8_000;
/** A stream silent for so long is lost: the protocol promises a heartbeat at least every third of it. */
const SILENCE_MS = 3 * LIMITS.heartbeatMs;

export class Connection {
  readonly #options: ConnectionOptions;
  #stream: string | undefined;
  #abort = new AbortController();
  #failures = 0;
  #lostAt: number | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** Opens a stream now, whatever was before. */
  open(): void {
    clearTimeout(this.#retry);
    this.#abort.abort();
    this.#abort = new AbortController();
    if (this.#lostAt === undefined) this.#options.status({ kind: 'connecting' });
    void this.#read(this.#abort);
  }

  async get<T>(door: string, query: Readonly<Record<string, string>> = {}): Promise<T> {
    const search = new URLSearchParams(query).toString();
    return this.#answer(
      await fetch(`api/v1/${door}${search === '' ? '' : `?${search}`}`, { headers: this.#headers() }),
    );
  }

  async #post<T>(door: string, body: unknown): Promise<T> {
    const headers = { ...this.#headers(), 'content-type': 'application/json' };
    return this.#answer(
      await fetch(`api/v1/${door}`, { method: 'POST', headers, body: JSON.stringify(body) }),
    );
  }

  command(command: Command): Promise<CommandAnswer> {
    return this.#post('command', command);
  }

  /** Changes what the stream shows; nothing while there is none: whoever hears `opened` asks again. */
  async watch(watch: Watch): Promise<void> {
    const stream = this.#stream;
    if (stream === undefined) return;
    try {
      await this.#post('watch', { stream, watch });
    } catch (error) {
      // The stream of a process that has been started again: its successor is opened.
      const isGone = error instanceof RequestRefused && error.status === 404;
      if (isGone && this.#stream === stream) this.#lose('the stream has ended');
    }
  }

  #headers(): Record<string, string> {
    const { token } = this.#options;
    return token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  async #answer<T>(response: Response): Promise<T> {
    const body: unknown = await response.json().catch(() => undefined);
    if (response.ok) return body as T;
    const { error } = (body ?? {}) as Partial<Refusal>;
    throw new RequestRefused(
      response.status,
      error?.code ?? 'failed',
      error?.message ?? `HTTP ${response.status}`,
    );
  }

  async #read(abort: AbortController): Promise<void> {
    const known = Object.entries(this.#options.cursors()).filter(([, n]) => n !== undefined);
    const query = new URLSearchParams(known.map(([name, n]) => [name, String(n)])).toString();
    try {
      const response = await fetch(`api/v1/stream${query === '' ? '' : `?${query}`}`, {
        headers: this.#headers(),
        signal: abort.signal,
      });
      if (!response.ok || response.body === null) return await this.#refused(response);
      const reader = new FrameReader();
      const bytes = response.body.getReader();
      const text = new TextDecoder();
      for (;;) {
        this.#listen(abort);
        const { done, value } = await bytes.read();
        if (done || abort.signal.aborted) break;
        for (const frame of reader.take(text.decode(value, { stream: true }))) {
          if (!this.#took(frame, abort)) return;
        }
      }
      if (!abort.signal.aborted) this.#lose('the connection ended');
    } catch (error) {
      if (!abort.signal.aborted) this.#lose(error instanceof Error ? error.message : String(error));
    }
  }

  /** Whether to read on. */
  #took(frame: Frame | 'hole', abort: AbortController): boolean {
    if (frame === 'hole') {
      abort.abort();
      this.#lose('frames were lost on the way');
      return false;
    }
    if (frame.type === 'hello') {
      if (frame.body.version !== PROTOCOL_VERSION) {
        abort.abort();
        const why = `version ${frame.body.version} of the protocol; this page knows ${PROTOCOL_VERSION}`;
        this.#options.status({ kind: 'refused', why: `the server speaks ${why}: reload it` });
        return false;
      }
      this.#stream = frame.body.stream;
      this.#failures = 0;
      this.#lostAt = undefined;
      this.#options.status({ kind: 'live' });
      this.#options.frame(frame);
      this.#options.opened();
      return true;
    }
    this.#options.frame(frame);
    if (frame.type === 'bye') {
      abort.abort();
      this.#lose(frame.body.why);
      return false;
    }
    return true;
  }

  async #refused(response: Response): Promise<void> {
    const error = await this.#answer(response).catch((refusal: unknown) => refusal as RequestRefused);
    const { message } = error as Error;
    if (response.status === 401)
      this.#options.status({
        kind: 'refused',
        why: 'a token is needed: open the address that the service printed, with its #token=…',
      });
    else if (response.status === 403) this.#options.status({ kind: 'refused', why: message });
    else this.#lose(message);
  }

  #listen(abort: AbortController): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      if (abort.signal.aborted) return;
      abort.abort();
      this.#lose(`nothing was heard for ${SILENCE_MS / 1_000} s`);
    }, SILENCE_MS);
  }

  #lose(why: string): void {
    clearTimeout(this.#silence);
    clearTimeout(this.#retry);
    this.#stream = undefined;
    const now = Date.now();
    this.#lostAt ??= now;
    const delay = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures);
    this.#failures += 1;
    this.#options.status({ kind: 'lost', since: this.#lostAt, retryAt: now + delay, why });
    this.#retry = setTimeout(() => this.open(), delay);
  }
}
