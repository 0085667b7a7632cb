/**
 * The locks of one process: per key those who hold it and a line.
 *
 * Invariant: served in order, nobody overtakes: a newcomer is granted at once only where nobody waits. A key without
 * holders and without a line is forgotten. Whatever changes a key serves its line before it returns.
 */
import type { Host, Timer } from '../base/host.ts';
import type {
  LockClaim,
  LockedKey,
  LockFate,
  LockHolder,
  LockLoss,
  LockStore,
  LockTicket,
} from './lock-store.ts';

const WAITING = 0;
const HELD = 1;
const OVER = 2;

/** Room for the grants of a millisecond: a later start of the store then begins above every earlier token. */
const TOKENS_PER_MS = 1_024;

class Ticket implements LockTicket {
  readonly holder: LockHolder;
  readonly claim: LockClaim;
  readonly lane: Lane;
  phase = WAITING;
  previous: Ticket | undefined = undefined;
  next: Ticket | undefined = undefined;
  #timer: Timer | undefined = undefined;

  constructor(lane: Lane, claim: LockClaim, holder: LockHolder) {
    this.lane = lane;
    this.claim = claim;
    this.holder = holder;
  }

  withdraw(): void {
    if (this.phase !== WAITING) return;
    this.phase = OVER;
    this.lane.leave(this);
  }

  renew(): boolean {
    if (this.phase !== HELD) return false;
    this.#timer?.cancel();
    this.watch();
    return true;
  }

  release(): boolean {
    return this.#over();
  }

  lose(why: LockLoss): void {
    if (this.phase !== HELD) return;
    this.phase = OVER;
    this.#timer?.cancel();
    // Told before the next is granted: no two believe that they hold it.
    this.holder.lost(why);
    this.lane.free(this);
  }

  watch(): void {
    const { ttlMs, key } = this.claim;
    if (ttlMs === Number.POSITIVE_INFINITY) return;
    this.#timer = this.lane.store.host.timer(ttlMs, `lock ${key} ttl`, () => this.lose('expired'), {
      unref: true,
    });
  }

  #over(): boolean {
    if (this.phase !== HELD) return false;
    this.phase = OVER;
    this.#timer?.cancel();
    this.lane.free(this);
    return true;
  }
}

/** One key. Those who hold it and those who wait are each a list in order of coming. */
class Lane {
  readonly store: LocalLockStore;
  readonly key: string;
  readonly held = new TicketList();
  readonly line = new TicketList();
  #used = 0;
  #shared = 0;
  #serving = false;

  constructor(store: LocalLockStore, key: string) {
    this.store = store;
    this.key = key;
  }

  take(claim: LockClaim, holder: LockHolder): Ticket {
    const ticket = new Ticket(this, claim, holder);
    if (this.line.size === 0 && this.#fits(claim)) this.#grant(ticket);
    else this.line.push(ticket);
    return ticket;
  }

  leave(ticket: Ticket): void {
    this.line.remove(ticket);
    this.#serve();
  }

  free(ticket: Ticket): void {
    this.held.remove(ticket);
    if (ticket.claim.mode === 'shared') this.#shared -= 1;
    else this.#used -= ticket.claim.units;
    this.#serve();
  }

  /** Whether one that waits would be granted if the others came to what `fate` says. */
  admits(ticket: Ticket, fate: (holder: LockHolder) => LockFate): boolean {
    let used = 0;
    let shared = 0;
    const count = ({ claim: { mode, units } }: Ticket): void => {
      if (mode === 'shared') shared += 1;
      else used += units;
    };
    for (const ahead of this.line.before(ticket)) {
      const came = fate(ahead.holder);
      if (came === 'unchanged') return false;
      if (came === 'granted') count(ahead);
    }
    for (const held of this.held) if (fate(held.holder) !== 'left') count(held);
    return this.#fits(ticket.claim, used, shared);
  }

  #fits({ mode, units }: LockClaim, used = this.#used, shared = this.#shared): boolean {
    if (mode === 'shared') return used === 0;
    return shared === 0 && used + units <= this.store.permits;
  }

  #grant(ticket: Ticket): void {
    ticket.phase = HELD;
    this.held.push(ticket);
    if (ticket.claim.mode === 'shared') this.#shared += 1;
    else this.#used += ticket.claim.units;
    ticket.watch();
    ticket.holder.granted(this.store.nextToken());
  }

  /** In a loop of its own: what is released as soon as it is granted must not nest as deep as the line is long. */
  #serve(): void {
    if (this.#serving) return;
    this.#serving = true;
    for (
      let first = this.line.first;
      first !== undefined && this.#fits(first.claim);
      first = this.line.first
    ) {
      this.line.remove(first);
      this.#grant(first);
    }
    this.#serving = false;
    if (this.line.size === 0 && this.held.size === 0) this.store.forget(this);
  }
}

/** Tickets in order; any of them leaves in O(1). A ticket is in one list at a time. */
class TicketList {
  first: Ticket | undefined = undefined;
  #last: Ticket | undefined = undefined;
  size = 0;

  push(ticket: Ticket): void {
    ticket.previous = this.#last;
    ticket.next = undefined;
    if (this.#last === undefined) this.first = ticket;
    else this.#last.next = ticket;
    this.#last = ticket;
    this.size += 1;
  }

  remove(ticket: Ticket): void {
    const { previous, next } = ticket;
    if (previous === undefined) this.first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    this.size -= 1;
  }

  *[Symbol.iterator](): IterableIterator<Ticket> {
    for (let each = this.first; each !== undefined; each = each.next) yield each;
  }

  /** Those ahead of a ticket, nearest first. */
  *before(ticket: Ticket): IterableIterator<Ticket> {
    for (let each = ticket.previous; each !== undefined; each = each.previous) yield each;
  }
}

export interface LocalLockStoreOptions {
  readonly host: Host;
  /** How many units of a key may be held at once. */
  readonly permits: number;
}

export class LocalLockStore implements LockStore {
  readonly host: Host;
  readonly permits: number;
  readonly #lanes = new Map<string, Lane>();
  readonly #tickets = new WeakMap<LockHolder, Ticket>();
  #token: number;

  constructor({ host, permits }: LocalLockStoreOptions) {
    this.host = host;
    this.permits = permits;
    // Tokens of different starts are compared by whoever checks them: this one begins above those before it.
    this.#token = Math.floor(host.wall()) * TOKENS_PER_MS;
  }

  claim(claim: LockClaim, holder: LockHolder): LockTicket {
    let lane = this.#lanes.get(claim.key);
    if (lane === undefined) {
      lane = new Lane(this, claim.key);
      this.#lanes.set(claim.key, lane);
    }
    const ticket = lane.take(claim, holder);
    if (ticket.phase === WAITING) this.#tickets.set(holder, ticket);
    return ticket;
  }

  waiting(key: string): number {
    return this.#lanes.get(key)?.line.size ?? 0;
  }

  *blockersOf(holder: LockHolder): Iterable<LockHolder> {
    const ticket = this.#tickets.get(holder);
    if (ticket === undefined || ticket.phase !== WAITING) return;
    for (const { holder: other } of ticket.lane.held) yield other;
    for (const { holder: other } of ticket.lane.line.before(ticket)) yield other;
  }

  admits(holder: LockHolder, fate: (holder: LockHolder) => LockFate): boolean {
    const ticket = this.#tickets.get(holder);
    return ticket === undefined || ticket.phase !== WAITING || ticket.lane.admits(ticket, fate);
  }

  *keys(only?: string): Iterable<LockedKey> {
    const lane = only === undefined ? undefined : this.#lanes.get(only);
    const lanes = only === undefined ? this.#lanes.values() : lane === undefined ? [] : [lane];
    for (const { key, held, line } of lanes) {
      yield {
        key,
        // Made when they are read: a line may be long, and who asks for the holders need not pay for it.
        get holders() {
          return Array.from(held, ({ holder }) => holder);
        },
        get waiting() {
          return Array.from(line, ({ holder }) => holder);
        },
      };
    }
  }

  nextToken(): number {
    this.#token += 1;
    return this.#token;
  }

  forget(lane: Lane): void {
    if (this.#lanes.get(lane.key) === lane) this.#lanes.delete(lane.key);
  }
}
