/**
 * Sees messages and steps while somebody watches, and meddles with actors on an operator's order.
 *
 * Invariants: it is attached to the system exactly while a viewer looks or a fault is set. What it keeps is bounded: a ring of
 * messages, a ring of steps for each of a bounded number of actors, figures for a bounded number of places. Payloads are not
 * kept. It never throws.
 */
import { createError } from '../base/errors.ts';
import type { Cell } from '../kernel/cell.ts';
import { CALL, INFO, type Mail, nameOf, RUN } from '../kernel/mail.ts';
import type { SystemOfActors } from '../kernel/system.ts';
import type { SteppedChart, Watch } from '../kernel/watch.ts';
import type { Message } from './actor-view.ts';
import { Durations } from './histogram.ts';
import { type Fault, LIMITS } from './protocol.ts';
import { Ring } from './ring.ts';
import type { ActorAddress } from './tree-view.ts';

/** Places with figures of their own; the busiest of a larger system may be missing then. Owner: one watch, about 500 B each. */
const PLACES_KEPT = 20_000;

/** What is known of a message between its sending and its end. */
interface Envelope {
  readonly id: number;
  readonly sentAt: number;
  readonly sent: number;
  readonly from: ActorAddress | undefined;
  readonly cause: number | undefined;
  began: number;
  lost: boolean;
}

/** What came together at one place. */
export class PlaceFigures {
  readonly waited = new Durations();
  readonly ran = new Durations();
  handled = 0;
  handling: { readonly message: string; readonly since: number } | undefined = undefined;
}

interface SetFault {
  readonly fault: Fault;
  left: number;
  /** A delay that is over lets one message through. */
  passes: boolean;
  waiting: boolean;
}

const kindOf = (mail: Mail): Message['kind'] => {
  if (mail.kind === CALL) return 'call';
  if (mail.kind === INFO) return 'info';
  return mail.kind === RUN ? 'own' : 'tell';
};

/** A run of the kernel's own has no name that would say anything. */
const titleOf = (mail: Mail): string => (mail.kind === RUN ? 'own code' : nameOf(mail.message));

export class MessageWatch implements Watch {
  /** Told of each step of a user's machine. */
  onStep: ((step: SteppedChart, cause: number | undefined) => void) | undefined = undefined;
  /** Since when messages are known. */
  since: number | undefined = undefined;
  messages = new Ring<Message>(LIMITS.messages);
  handled = 0;
  waited = new Durations();
  ran = new Durations();
  readonly #system: SystemOfActors;
  readonly #places = new Map<string, PlaceFigures>();
  readonly #faults = new Map<string, SetFault>();
  #envelopes = new WeakMap<Mail, Envelope>();
  #viewers = 0;
  #lastId = 0;
  /** In whose turn code runs just now, and what it handles. */
  #current: { readonly cell: Cell; readonly id: number } | undefined = undefined;

  constructor(system: SystemOfActors) {
    this.#system = system;
  }

  // ── attaching ─────────────────────────────────────────────────────────────────────────────

  attach(): void {
    this.#viewers += 1;
    this.#settle();
  }

  detach(): void {
    this.#viewers -= 1;
    this.#settle();
  }

  get isWatched(): boolean {
    return this.#viewers > 0;
  }

  #settle(): void {
    const wanted = this.#viewers > 0 || this.#faults.size > 0;
    if (wanted && this.#system.watch === undefined) this.#system.watch = this;
    if (!wanted && this.#system.watch === this) this.#system.watch = undefined;
    if (this.#viewers > 0) this.since ??= this.#system.host.wall();
    else this.#forget();
  }

  /** What was seen says nothing once some has not been seen. Numbers go on. */
  #forget(): void {
    if (this.since === undefined) return;
    this.since = undefined;
    this.messages = new Ring<Message>(LIMITS.messages, this.messages.next);
    this.#places.clear();
    this.#envelopes = new WeakMap();
    this.handled = 0;
    this.waited = new Durations();
    this.ran = new Durations();
  }

  // ── what the kernel tells ─────────────────────────────────────────────────────────────────

  accepted(mail: Mail, _to: Cell): void {
    if (this.#viewers === 0) return;
    this.#lastId += 1;
    const issuer = mail.kind === CALL ? (mail as { readonly issuer?: Cell }).issuer : undefined;
    const sender = issuer ?? this.#current?.cell;
    const { host } = this.#system;
    this.#envelopes.set(mail, {
      id: this.#lastId,
      sentAt: host.wall(),
      sent: host.monotonic(),
      from: sender === undefined ? undefined : { ...sender.ref },
      cause: this.#current?.id,
      began: 0,
      lost: false,
    });
  }

  holds(cell: Cell): boolean {
    const set = this.#faults.get(cell.place.path);
    if (set === undefined || set.fault.kind !== 'delay' || cell.mailboxSize === 0) return false;
    if (set.passes) {
      set.passes = false;
      return false;
    }
    if (!set.waiting) {
      set.waiting = true;
      cell.suspended = true;
      this.#system.host.timer(set.fault.delayMs, 'explorer delay', () => {
        set.waiting = false;
        set.passes = true;
        this.#spend(cell.place.path, set);
        cell.resume();
      });
    }
    return true;
  }

  begins(mail: Mail, cell: Cell): 'run' | 'lose' | Error {
    const verdict = this.#meddle(mail, cell);
    if (this.#viewers === 0) return verdict;
    const envelope = this.#envelopes.get(mail);
    if (envelope !== undefined) {
      envelope.began = this.#system.host.monotonic();
      envelope.lost = verdict === 'lose';
    }
    this.#current = { cell, id: envelope?.id ?? 0 };
    const figures = this.#figuresOf(cell.place.path);
    if (figures !== undefined) figures.handling = { message: titleOf(mail), since: this.#system.host.wall() };
    return verdict;
  }

  returned(): void {
    this.#current = undefined;
  }

  ended(mail: Mail, cell: Cell, failed: boolean): void {
    this.#current = undefined;
    const envelope = this.#envelopes.get(mail);
    if (envelope === undefined || this.#viewers === 0) return;
    this.#envelopes.delete(mail);
    const now = this.#system.host.monotonic();
    const waitedMs = Math.max(0, envelope.began - envelope.sent);
    const ranMs = Math.max(0, now - envelope.began);
    this.handled += 1;
    this.waited.add(waitedMs);
    this.ran.add(ranMs);
    const figures = this.#figuresOf(cell.place.path);
    if (figures !== undefined) {
      figures.handled += 1;
      figures.handling = undefined;
      figures.waited.add(waitedMs);
      figures.ran.add(ranMs);
    }
    const outcome = envelope.lost ? 'lost' : failed ? 'failed' : 'handled';
    this.#note(mail, cell, { envelope, outcome, waitedMs, ranMs });
  }

  dropped(mail: Mail, cell: Cell): void {
    const envelope = this.#envelopes.get(mail);
    if (this.#viewers === 0) return;
    this.#note(mail, cell, { envelope, outcome: 'dropped', waitedMs: undefined, ranMs: undefined });
  }

  stepped(step: SteppedChart): void {
    if (this.#viewers > 0) this.onStep?.(step, this.#current?.id);
  }

  #note(
    mail: Mail,
    cell: Cell,
    seen: {
      readonly envelope: Envelope | undefined;
      readonly outcome: Message['outcome'];
      readonly waitedMs: number | undefined;
      readonly ranMs: number | undefined;
    },
  ): void {
    const { envelope, outcome, waitedMs, ranMs } = seen;
    if (envelope === undefined) this.#lastId += 1;
    const id = envelope?.id ?? this.#lastId;
    const sentAt = envelope?.sentAt ?? this.#system.host.wall();
    this.messages.add((n) => ({
      n,
      id,
      kind: kindOf(mail),
      name: titleOf(mail),
      ...(envelope?.from === undefined ? {} : { from: envelope.from }),
      to: { ...cell.ref },
      ...(envelope?.cause === undefined || envelope.cause === 0 ? {} : { cause: envelope.cause }),
      sentAt,
      ...(waitedMs === undefined ? {} : { waitedMs }),
      ...(ranMs === undefined ? {} : { ranMs }),
      outcome,
    }));
  }

  // ── figures ───────────────────────────────────────────────────────────────────────────────

  /** What came together at a place since the inspection began. */
  figures(path: string): PlaceFigures | undefined {
    return this.#places.get(path);
  }

  get places(): ReadonlyMap<string, PlaceFigures> {
    return this.#places;
  }

  #figuresOf(path: string): PlaceFigures | undefined {
    const known = this.#places.get(path);
    if (known !== undefined || this.#places.size >= PLACES_KEPT) return known;
    const figures = new PlaceFigures();
    this.#places.set(path, figures);
    return figures;
  }

  // ── faults ────────────────────────────────────────────────────────────────────────────────

  fault(path: string): Fault | undefined {
    const set = this.#faults.get(path);
    return set === undefined ? undefined : { ...set.fault, messages: set.left };
  }

  setFault(path: string, fault: Fault): void {
    this.#faults.set(path, { fault, left: fault.messages, passes: false, waiting: false });
    this.#settle();
  }

  clearFault(path: string): boolean {
    const had = this.#faults.delete(path);
    this.#settle();
    return had;
  }

  clearFaults(): void {
    for (const path of [...this.#faults.keys()]) this.clearFault(path);
  }

  #spend(path: string, set: SetFault): void {
    set.left -= 1;
    if (set.left <= 0 && this.#faults.get(path) === set) this.clearFault(path);
  }

  /** Only what others send is lost or made to fail: the kernel's own mail keeps the actor's own rules. */
  #meddle(mail: Mail, cell: Cell): 'run' | 'lose' | Error {
    const { path } = cell.place;
    const set = this.#faults.size === 0 ? undefined : this.#faults.get(path);
    if (set === undefined || set.fault.kind === 'delay' || mail.kind === INFO || mail.kind === RUN)
      return 'run';
    this.#spend(path, set);
    if (set.fault.kind === 'drop') return 'lose';
    return createError('ERR_FAULT_INJECTED', { target: path, message: nameOf(mail.message) });
  }
}
