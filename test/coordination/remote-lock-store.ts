/**
 * A store of locks behind a network that is slow, loses, repeats and overtakes: the far end keeps the locks, the near end asks again
 * until it is answered. What is done twice is done once: every request has a number, and the far end remembers its answer.
 */
import { LocalLockStore } from '../../src/coordination/local-lock-store.ts';
import type {
  LockClaim,
  LockedKey,
  LockHolder,
  LockLoss,
  LockStore,
  LockTicket,
} from '../../src/coordination/lock-store.ts';
import type { SimulatedHost } from '../../src/testing/simulated-host.ts';

export interface Network {
  /** How long a message is under way at most, ms. */
  readonly delayMs: number;
  /** One message in so many is lost, and one is delivered twice; 0: none. */
  readonly faultOneIn: number;
}

const ASK_AGAIN_MS = 40;

type News =
  | { readonly kind: 'granted'; readonly token: number }
  | { readonly kind: 'lost'; readonly why: LockLoss };

/** The near end of one claim. */
class RemoteTicket implements LockTicket {
  readonly #store: RemoteLockStore;
  readonly #id: number;
  readonly holder: LockHolder;
  readonly key: string;
  phase: 'waiting' | 'held' | 'over' = 'waiting';
  #lost: LockLoss | undefined;
  readonly #heard = new Set<News['kind']>();

  constructor(store: RemoteLockStore, id: number, key: string, holder: LockHolder) {
    this.#store = store;
    this.#id = id;
    this.key = key;
    this.holder = holder;
  }

  /** In whatever order, and however often, the news arrive. */
  hear(news: News): void {
    if (this.#heard.has(news.kind)) return;
    this.#heard.add(news.kind);
    if (news.kind === 'lost') this.#lost = news.why;
    else if (this.phase === 'waiting') {
      this.phase = 'held';
      this.holder.granted(news.token);
    }
    if (this.#lost === undefined || this.phase !== 'held') return;
    this.phase = 'over';
    this.#store.forget(this);
    this.holder.lost(this.#lost);
  }

  withdraw(): void {
    if (this.phase !== 'waiting') return;
    this.phase = 'over';
    this.#store.forget(this);
    void this.#store.request(this.#id, 'withdraw');
  }

  renew(): Promise<boolean> | boolean {
    return this.phase === 'held' && this.#store.request(this.#id, 'renew');
  }

  release(): Promise<boolean> | boolean {
    if (this.phase !== 'held') return false;
    this.phase = 'over';
    this.#store.forget(this);
    return this.#store.request(this.#id, 'release');
  }
}

type Word = 'withdraw' | 'renew' | 'release';

export class RemoteLockStore implements LockStore {
  readonly #host: SimulatedHost;
  readonly #network: Network;
  readonly #far: LocalLockStore;
  readonly #tickets = new Set<RemoteTicket>();
  /** What the far end has of each claim; `withdrawn` may come before the claim itself. */
  readonly #claims = new Map<number, { ticket?: LockTicket; withdrawn?: boolean }>();
  readonly #answers = new Map<number, boolean>();
  #next = 1;

  constructor(host: SimulatedHost, permits: number, network: Network) {
    this.#host = host;
    this.#network = network;
    this.#far = new LocalLockStore({ host, permits });
  }

  claim(claim: LockClaim, holder: LockHolder): LockTicket {
    const id = this.#next++;
    const near = new RemoteTicket(this, id, claim.key, holder);
    this.#tickets.add(near);
    const tell = (news: News): void => this.#sendSurely(() => near.hear(news));
    this.#sendSurely(() => this.#accept(id, claim, tell));
    return near;
  }

  waiting(key: string): number {
    return [...this.#tickets].filter((each) => each.key === key && each.phase === 'waiting').length;
  }

  *keys(only?: string): Iterable<LockedKey> {
    for (const key of new Set(Array.from(this.#tickets, (each) => each.key))) {
      if (only !== undefined && key !== only) continue;
      const own = [...this.#tickets].filter((each) => each.key === key);
      const those = (phase: string) => own.filter((each) => each.phase === phase).map(({ holder }) => holder);
      yield { key, holders: those('held'), waiting: those('waiting') };
    }
  }

  forget(ticket: RemoteTicket): void {
    this.#tickets.delete(ticket);
  }

  /** Asks until it is answered. */
  request(id: number, word: Word): Promise<boolean> {
    const number = this.#next++;
    return new Promise((resolve) => {
      this.#sendSurely(() => {
        const answer = this.#obey(id, number, word);
        this.#sendSurely(() => resolve(answer));
      });
    });
  }

  #accept(id: number, claim: LockClaim, tell: (news: News) => void): void {
    const known = this.#claims.get(id) ?? {};
    this.#claims.set(id, known);
    if (known.ticket !== undefined || known.withdrawn === true) return;
    known.ticket = this.#far.claim(claim, {
      granted: (token) => tell({ kind: 'granted', token }),
      refused: () => {},
      lost: (why) => tell({ kind: 'lost', why }),
    });
  }

  #obey(id: number, number: number, word: Word): boolean {
    const before = this.#answers.get(number);
    if (before !== undefined) return before;
    const known = this.#claims.get(id) ?? {};
    this.#claims.set(id, known);
    const { ticket } = known;
    if (word === 'withdraw') {
      known.withdrawn = true;
      ticket?.withdraw();
    }
    const answer = word === 'renew' ? ticket?.renew() === true : ticket?.release() === true;
    this.#answers.set(number, answer);
    return answer;
  }

  /** A message that is sent again until it has arrived; it may arrive more than once. */
  #sendSurely(arrive: () => void): void {
    const { delayMs, faultOneIn } = this.#network;
    const { random } = this.#host;
    const chance = (): boolean => faultOneIn > 0 && random.below(faultOneIn) === 0;
    const after = () => random.below(delayMs + 1);
    if (chance()) {
      this.#host.timer(ASK_AGAIN_MS, 'ask again', () => this.#sendSurely(arrive));
      return;
    }
    this.#host.timer(after(), 'message', arrive);
    if (chance()) this.#host.timer(after() + ASK_AGAIN_MS, 'message again', arrive);
  }
}
