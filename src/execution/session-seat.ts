/**
 * One place of a session pool and the session in it, over all that befalls that: worn, busy, dead, or another user's.
 *
 * Invariants: it has one session at most; whoever is let in finds a session that takes code at once, in which no other user's code has run
 * unless that is allowed. It waits for nobody and decides nothing about sizes: the pool does.
 */
import type { ExecutorHandle } from './executor.ts';
import type { Session } from './session.ts';
import type { BetweenUsers, SessionPoolOptions, SessionRecycling } from './session-pool.ts';

/** What a seat needs of its pool. */
export interface SeatOwner {
  readonly executor: ExecutorHandle;
  readonly options: SessionPoolOptions['session'];
  readonly recycle: Required<SessionRecycling>;
  readonly between: BetweenUsers;
  /** A process was given up though it lived. */
  recycled(): void;
}

export class SessionSeat {
  readonly #owner: SeatOwner;
  #session: Session | undefined;
  /** Whose code has run in the process of now; `undefined`: nobody's, or of nobody in particular. */
  #user: string | undefined;
  #isUsed = false;
  /** Executions that had ended before the process of now. */
  #before = 0;
  #process = 0;
  #isLarge = false;

  constructor(owner: SeatOwner) {
    this.#owner = owner;
  }

  /** @throws ERR_WORKER_START and what else keeps a session from starting */
  async open(): Promise<this> {
    await this.#renewed();
    return this;
  }

  /** Whether what is here can be let out without being made anew. */
  get isWell(): boolean {
    return this.#session?.inspect().over === false;
  }

  /** The session, fit for a user. @throws what {@link open} throws; ERR_JOB_TIMEOUT, ERR_SESSION_ENDED */
  async enter(user: string | undefined): Promise<Session> {
    const session = this.isWell ? (this.#session as Session) : await this.#renewed();
    if (this.#isUp(session)) await this.#recycle(session);
    else if (this.#isUsed && this.#user !== user) await this.#changeUser(session);
    else await session.ready();
    this.#user = user;
    this.#isUsed = true;
    return session;
  }

  /** It was given back: what would have to be done for the next one is done now. Does not reject. */
  async leave(): Promise<void> {
    const session = this.#session;
    if (session === undefined || !this.isWell) return;
    try {
      const { memoryBytes } = this.#owner.recycle;
      const isBusy = session.inspect().execution !== undefined;
      if (memoryBytes < Number.POSITIVE_INFINITY && !isBusy) {
        const { residentBytes } = await session.stats();
        this.#isLarge = typeof residentBytes === 'number' && residentBytes >= memoryBytes;
      }
      if (this.#isUp(session)) await this.#recycle(session);
    } catch {
      // Whoever enters next finds out, and is told.
    }
  }

  async close(): Promise<void> {
    await this.#session?.close();
  }

  /** A process that came by itself has run nothing yet. */
  #isUp(session: Session): boolean {
    const { processes, executions, execution } = session.inspect();
    if (processes !== this.#process) this.#begun(session);
    const { recycle } = this.#owner;
    return execution !== undefined || this.#isLarge || executions - this.#before >= recycle.executions;
  }

  async #changeUser(session: Session): Promise<void> {
    const { between } = this.#owner;
    if (between === 'restart') await this.#recycle(session);
    else if (between === 'clear') await session.namespace.clear();
    else await session.ready();
  }

  async #recycle(session: Session): Promise<void> {
    this.#owner.recycled();
    await session.restart();
    this.#begun(session);
  }

  async #renewed(): Promise<Session> {
    const { executor, options } = this.#owner;
    await this.#session?.close();
    this.#session = undefined;
    const session = await executor.session(options);
    this.#session = session;
    this.#begun(session);
    return session;
  }

  #begun(session: Session): void {
    const { executions, processes } = session.inspect();
    this.#before = executions;
    this.#process = processes;
    this.#isLarge = false;
    this.#isUsed = false;
    this.#user = undefined;
  }
}
