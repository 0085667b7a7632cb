/**
 * The line from a command line to an explorer: its stream of frames, and requests beside it. A viewer like the page.
 *
 * Invariants: the token is in a header alone. A stream that skips a number, falls silent or ends is opened anew where its facts left
 * off, later each time; what trying again cannot mend (no permission, another version) ends the line with its reason. After `close`
 * nothing is told.
 */
import type { Host, Timer } from '../../base/host.ts';
import { FrameReader } from '../page/frame-reader.ts';
import { type Frame, LIMITS, PROTOCOL_VERSION, type Refusal, type Watch } from '../protocol.ts';
import { type Target, TOKEN_HELP } from './target.ts';

export type LineStatus =
  | { readonly kind: 'connecting' | 'live' }
  | { readonly kind: 'lost'; readonly why: string; readonly retryInMs: number }
  | { readonly kind: 'refused'; readonly why: string };

export interface LineOptions {
  readonly host: Host;
  readonly target: Target;
  /** What the stream shows from its beginning. */
  readonly watch: () => Watch;
  readonly frame: (frame: Frame) => void;
  readonly status: (status: LineStatus) => void;
}

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 8_000;
/** The protocol promises a heartbeat at least every third of it. */
const SILENCE_MS = 3 * LIMITS.heartbeatMs;

/** A refusal, with its status. */
class RefusedRequest extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const messageOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error as { readonly cause?: { readonly code?: unknown; readonly message?: unknown } };
  // What fetch says is "fetch failed"; why, its cause says.
  return String(cause?.code ?? cause?.message ?? error.message);
};

const headersFor = ({ base, token }: Target): Record<string, string> => ({
  origin: new URL(base).origin,
  ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
});

const answerOf = async (response: Response): Promise<unknown> => {
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok) return body;
  const { error } = (body ?? {}) as Partial<Refusal>;
  const message = response.status === 401 ? TOKEN_HELP : (error?.message ?? `HTTP ${response.status}`);
  throw new RefusedRequest(response.status, message);
};

/** Asks once. Rejects with a message for people. */
export const askExplorer = async (target: Target, door: string, signal?: AbortSignal): Promise<unknown> => {
  try {
    const asked = { headers: headersFor(target), ...(signal === undefined ? {} : { signal }) };
    return await answerOf(await fetch(`${target.base}api/v1/${door}`, asked));
  } catch (error) {
    if (error instanceof RefusedRequest) throw error;
    throw new Error(`${target.base} does not answer: ${messageOf(error)}`, { cause: error });
  }
};

export class Line {
  readonly #options: LineOptions;
  #abort = new AbortController();
  #stream: string | undefined;
  #failures = 0;
  #nextFact = 0;
  #retry: Timer | undefined;
  #silence: Timer | undefined;
  #closed = false;
  #wanted: Watch | undefined;
  #isTelling = false;

  constructor(options: LineOptions) {
    this.#options = options;
  }

  open(): void {
    if (this.#closed) return;
    this.#abort = new AbortController();
    if (this.#failures === 0) this.#options.status({ kind: 'connecting' });
    void this.#read(this.#abort);
  }

  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
    this.#silence?.cancel();
    this.#abort.abort();
  }

  /** Changes what the stream shows; where there is none yet, it will be asked for what it is to show. */
  async watch(watch: Watch): Promise<void> {
    this.#wanted = { ...this.#wanted, ...watch };
    // One after the other: two on the way at once could arrive in either order, and the older one would stay.
    if (this.#isTelling) return;
    this.#isTelling = true;
    while (this.#wanted !== undefined) {
      const next = this.#wanted;
      this.#wanted = undefined;
      await this.#tell(next);
    }
    this.#isTelling = false;
  }

  async #tell(watch: Watch): Promise<void> {
    const { target } = this.#options;
    const stream = this.#stream;
    if (stream === undefined || this.#closed) return;
    try {
      await answerOf(
        await fetch(`${target.base}api/v1/watch`, {
          method: 'POST',
          headers: { ...headersFor(target), 'content-type': 'application/json' },
          body: JSON.stringify({ stream, watch }),
        }),
      );
    } catch (error) {
      // The stream has ended meanwhile, or is about to: its reader sees that and opens another.
      if (error instanceof RefusedRequest && error.status !== 404) this.#refuse(error.message);
    }
  }

  async #read(abort: AbortController): Promise<void> {
    const { target } = this.#options;
    try {
      const url = `${target.base}api/v1/stream${this.#nextFact === 0 ? '' : `?facts=${this.#nextFact}`}`;
      this.#listen(abort);
      const response = await fetch(url, { headers: headersFor(target), signal: abort.signal });
      if (!response.ok || response.body === null) {
        await answerOf(response);
        throw new Error('an empty answer');
      }
      const reader = new FrameReader();
      const text = new TextDecoder();
      for await (const bytes of response.body as unknown as AsyncIterable<Uint8Array>) {
        this.#listen(abort);
        for (const frame of reader.take(text.decode(bytes, { stream: true })))
          if (!this.#took(frame, abort)) return;
      }
      if (!abort.signal.aborted) this.#lose('the connection ended');
    } catch (error) {
      if (abort.signal.aborted) return;
      const isFinal = error instanceof RefusedRequest && [401, 403, 404].includes(error.status);
      if (isFinal) this.#refuse(error.message);
      else this.#lose(messageOf(error));
    }
  }

  /** Whether to read on. */
  #took(frame: Frame | 'hole', abort: AbortController): boolean {
    if (this.#closed) return false;
    if (frame === 'hole' || frame.type === 'bye') {
      abort.abort();
      this.#lose(frame === 'hole' ? 'frames were lost on the way' : frame.body.why);
      return false;
    }
    if (frame.type === 'hello') {
      const { version, stream } = frame.body;
      if (version !== PROTOCOL_VERSION) {
        abort.abort();
        this.#refuse(`it speaks version ${version} of the protocol, and this troupe ${PROTOCOL_VERSION}`);
        return false;
      }
      this.#stream = stream;
      this.#failures = 0;
      this.#options.status({ kind: 'live' });
      void this.watch(this.#options.watch());
    }
    if (frame.type === 'facts') this.#nextFact = (frame.body.facts.at(-1)?.n ?? this.#nextFact - 1) + 1;
    this.#options.frame(frame);
    return true;
  }

  #listen(abort: AbortController): void {
    this.#silence?.cancel();
    this.#silence = this.#options.host.timer(SILENCE_MS, 'explorer line silent', () => {
      if (abort.signal.aborted) return;
      abort.abort();
      this.#lose(`nothing was heard for ${SILENCE_MS / 1_000} s`);
    });
  }

  #lose(why: string): void {
    if (this.#closed) return;
    this.#silence?.cancel();
    this.#stream = undefined;
    const retryInMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures);
    this.#failures += 1;
    this.#options.status({ kind: 'lost', why, retryInMs });
    this.#retry = this.#options.host.timer(retryInMs, 'explorer line retry', () => this.open());
  }

  #refuse(why: string): void {
    if (this.#closed) return;
    this.close();
    this.#options.status({ kind: 'refused', why });
  }
}
