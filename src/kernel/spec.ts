/**
 * A spec: what to start, under which id, and how its owner shall treat its end. Plain, frozen, inspectable data; also
 * the typed key to what it started (`app.get(spec)`). It stands once in an application; `as(id)` makes another key.
 */
import type { BreakerVerdict } from '../../actors/circuit-breaker.machine.ts';
import {
  anything,
  check,
  either,
  fits,
  flag,
  identifier,
  integer,
  listOf,
  ms,
  msOrInfinity,
  object,
  oneOf,
  refuse,
  resolveOptions,
  text,
} from '../base/options.ts';
import type { Handle, Logic } from './logic.ts';

const BRAND = Symbol.for('troupe/spec');

/** What happens to mail beyond the mailbox's capacity; `tell` then returns `'dropped'`, a call rejects. */
export type Overflow = 'reject' | 'drop_newest' | 'drop_oldest';

/** How long a child waits before it is started again. Times in ms. */
export interface Backoff {
  /** The delay after the second failure in a row; the first restart is immediate. Default 100. */
  readonly baseMs: number;
  /** Default 2. */
  readonly factor: number;
  /** Default 30,000. */
  readonly maxMs: number;
  /** `full`: uniform between 0 and the delay. Default `full`. */
  readonly jitter: 'full' | 'none';
  /** Failures in a row are forgotten after running this long. Default 10,000. */
  readonly stableMs: number;
  /** Whether the first restart waits too. Default `false`. */
  readonly delayFirst: boolean;
}

/** At most `intensity` restarts of one child within `periodMs`, apart from what its siblings spend. */
export interface RestartBudget {
  readonly intensity: number;
  /** Milliseconds. */
  readonly periodMs: number;
  /** Beyond it the supervisor gives up, or leaves the child stopped (`restartChild` starts it). Default `'give_up'`. */
  readonly onExceeded?: 'give_up' | 'park';
}

/** What a child can depend on: the handle of a breaker. */
export interface Dependable extends Handle {
  readonly kind: 'breaker';
  /** Whether an application is not ready while it is open. */
  readonly critical: boolean;
  inspect(): { readonly verdict: BreakerVerdict; readonly openUntilMs: number | undefined };
  onChange(listener: () => void): () => void;
}

/** Options that every spec takes. */
export interface SpecOptions {
  /** Given to init. */
  readonly input?: unknown;
  /** OTP's restart type. Default `'permanent'`. */
  readonly restart?: 'permanent' | 'transient' | 'temporary';
  /** The allowance for an orderly stop, or `'brutal_kill'`. Default 5,000; supervisors `Infinity`. */
  readonly shutdownMs?: number | 'brutal_kill';
  /** Default 10,000. */
  readonly initTimeoutMs?: number;
  /** Tells and calls that may wait. Default 10,000. */
  readonly mailboxCapacity?: number;
  /** Default `'reject'`. */
  readonly overflow?: Overflow;
  /** `'drain'`: queued mail is handled before `terminate`. Default `'discard'`: calls reject `not_started`. */
  readonly onShutdown?: 'discard' | 'drain';
  /** `'forbid'`: a restart waits for handlers still running of the incarnation before. Default `'allow'`. */
  readonly overlap?: 'allow' | 'forbid';
  /** `false` restarts at once, as OTP does; an object overrides parts of the supervisor's backoff. */
  readonly backoff?: false | Partial<Backoff>;
  /** Its own ending may end its supervisor (`autoShutdown`). Transient and temporary children only. Default `false`. */
  readonly significant?: boolean;
  /** A restart window of its own, spent instead of its supervisor's. Default: none. */
  readonly restartBudget?: RestartBudget;
  /**
   * Breakers of the same application, each before this child in the order of starting. While one of them is open the child
   * is not started: it is `held`, which spends no intensity. For children of supervisors only. Default: none.
   */
  readonly dependsOn?: Spec<Dependable> | readonly Spec<Dependable>[];
  /** How long it is held at most; then it is started whatever they say. Default 60,000. */
  readonly holdMaxMs?: number;
  /** Shown to people. */
  readonly description?: string;
}

/** A frozen child spec. Recognised by its brand `Symbol.for('troupe/spec')`. */
export interface Spec<H = Handle> {
  readonly id: string;
  readonly logic: Logic<H>;
  readonly input: unknown;
  readonly restart: 'permanent' | 'transient' | 'temporary';
  readonly shutdownMs: number | 'brutal_kill';
  readonly initTimeoutMs: number;
  readonly mailboxCapacity: number;
  readonly overflow: Overflow;
  readonly onShutdown: 'discard' | 'drain';
  readonly overlap: 'allow' | 'forbid';
  readonly backoff: false | Partial<Backoff> | undefined;
  readonly significant: boolean;
  readonly restartBudget: Required<RestartBudget> | undefined;
  readonly dependsOn: readonly Spec<unknown>[];
  readonly holdMaxMs: number;
  readonly description: string | undefined;
  /** Specs that stand below this one (a supervisor's children, a pool's breaker), for checks before any start. */
  readonly children: readonly Spec<unknown>[];
  /** The same under another id, and with another input where one is given: another key, another place. */
  as(id: string, input?: unknown): Spec<H>;
}

/** The kernel's defaults; `docs/SEMANTICS.md` lists them. */
export const SPEC_DEFAULTS = Object.freeze({
  restart: 'permanent',
  shutdownMs: 5_000,
  initTimeoutMs: 10_000,
  mailboxCapacity: 10_000,
  overflow: 'reject',
  onShutdown: 'discard',
  overlap: 'allow',
  significant: false,
  holdMaxMs: 60_000,
} as const);

/** A spec on which others can depend. */
const DEPENDABLE = fits<Spec<unknown>>(
  "a breaker's spec",
  (value) => isSpec(value) && value.logic.kind === 'breaker',
  "breakers' specs",
);

/** The rules of {@link SpecOptions}; builders of other specs take those that suit them. */
export const SPEC_FIELDS = {
  input: anything,
  restart: oneOf('permanent', 'transient', 'temporary'),
  shutdownMs: either(msOrInfinity(0), oneOf('brutal_kill')),
  initTimeoutMs: msOrInfinity(1),
  mailboxCapacity: integer(1),
  overflow: oneOf('reject', 'drop_newest', 'drop_oldest'),
  onShutdown: oneOf('discard', 'drain'),
  overlap: oneOf('allow', 'forbid'),
  backoff: either(oneOfFalse(), object<Partial<Backoff>>('a backoff')),
  significant: flag,
  restartBudget: object<RestartBudget>('a restart budget'),
  dependsOn: either(DEPENDABLE, listOf(DEPENDABLE)),
  holdMaxMs: ms(1),
  description: text,
} as const;

function oneOfFalse() {
  return { expected: 'false', accepts: (value: unknown): value is false => value === false };
}

const BACKOFF_FIELDS = {
  baseMs: ms(0),
  factor: {
    expected: 'a number of at least 1',
    accepts: (v: unknown): v is number => typeof v === 'number' && v >= 1,
  },
  maxMs: ms(0),
  jitter: oneOf('full', 'none'),
  stableMs: ms(0),
  delayFirst: flag,
} as const;

const BUDGET_FIELDS = {
  intensity: integer(0),
  periodMs: ms(1),
  onExceeded: oneOf('give_up', 'park'),
} as const;

export const BUDGET_EXCEEDED = 'give_up';

/** Checks a restart budget and fills it. */
const resolveBudget = (where: string, input: RestartBudget): Required<RestartBudget> => {
  const resolved = resolveOptions(where, input, BUDGET_FIELDS, { onExceeded: BUDGET_EXCEEDED });
  const { intensity, periodMs, onExceeded } = resolved;
  if (intensity === undefined) return refuse(where, 'intensity', BUDGET_FIELDS.intensity.expected, intensity);
  if (periodMs === undefined) return refuse(where, 'periodMs', BUDGET_FIELDS.periodMs.expected, periodMs);
  return Object.freeze({ intensity, periodMs, onExceeded });
};

/** design §8. */
export const BACKOFF_DEFAULTS: Readonly<Backoff> = Object.freeze({
  baseMs: 100,
  factor: 2,
  maxMs: 30_000,
  jitter: 'full',
  stableMs: 10_000,
  delayFirst: false,
});

/** Checks a partial backoff and fills it from `base`. */
export const resolveBackoff = (
  where: string,
  input: unknown,
  base: Backoff = BACKOFF_DEFAULTS,
): Readonly<Backoff> => resolveOptions(where, input, BACKOFF_FIELDS, base) as Readonly<Backoff>;

const NONE: readonly Spec<unknown>[] = Object.freeze([]);

/** Each breaker once. */
const dependenciesOf = (where: string, options: SpecOptions): readonly Spec<unknown>[] => {
  const { dependsOn, holdMaxMs } = options;
  const given = dependsOn === undefined ? NONE : Array.isArray(dependsOn) ? dependsOn : [dependsOn];
  if (given.length === 0 && holdMaxMs !== undefined)
    refuse(where, 'holdMaxMs', 'left out where dependsOn names no breaker', holdMaxMs);
  return given.length === 0 ? NONE : Object.freeze([...new Set(given)]);
};

class ChildSpec<H> implements Spec<H> {
  readonly id: string;
  readonly logic: Logic<H>;
  readonly input: unknown;
  readonly restart!: Spec['restart'];
  readonly shutdownMs!: Spec['shutdownMs'];
  readonly initTimeoutMs!: number;
  readonly mailboxCapacity!: number;
  readonly overflow!: Overflow;
  readonly onShutdown!: Spec['onShutdown'];
  readonly overlap!: Spec['overlap'];
  readonly backoff: Spec['backoff'];
  readonly significant: boolean;
  readonly restartBudget: Spec['restartBudget'];
  readonly dependsOn: readonly Spec<unknown>[];
  readonly holdMaxMs!: number;
  readonly description: string | undefined;
  readonly children: readonly Spec<unknown>[];

  constructor(id: string, logic: Logic<H>, options: Resolved, children: readonly Spec<unknown>[]) {
    this.id = id;
    this.logic = logic;
    this.input = options.input;
    this.backoff = options.backoff;
    this.significant = options.significant;
    this.restartBudget = options.restartBudget as Spec['restartBudget'];
    this.dependsOn = (options.dependsOn as Spec['dependsOn'] | undefined) ?? NONE;
    this.description = options.description;
    this.children = children;
    Object.assign(this, {
      restart: options.restart,
      shutdownMs: options.shutdownMs,
      initTimeoutMs: options.initTimeoutMs,
      mailboxCapacity: options.mailboxCapacity,
      overflow: options.overflow,
      onShutdown: options.onShutdown,
      overlap: options.overlap,
      holdMaxMs: options.holdMaxMs,
    });
    Object.freeze(this);
  }

  as(id: string, input: unknown = this.input): Spec<H> {
    const where = `spec ${this.id}.as()`;
    check(where, 'id', identifier, id);
    const same = this as unknown as Resolved;
    return new ChildSpec(id, this.logic, input === this.input ? same : { ...same, input }, this.children);
  }
}
Object.defineProperty(ChildSpec.prototype, BRAND, { value: true });

type Resolved = Omit<typeof SPEC_DEFAULTS, 'significant'> & SpecOptions & { readonly significant: boolean };

const isLogic = (value: unknown): boolean => {
  const logic = value as Partial<Logic> | null | undefined;
  return (
    typeof logic === 'object' && typeof logic?.start === 'function' && typeof logic.handle === 'function'
  );
};

/**
 * Makes a spec of any logic. The builders people use (`actor`, `supervisor`, `circuitBreaker`, `pool`, `recovery`) end here.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const createSpec = <H>(
  id: string,
  logic: Logic<H>,
  options: SpecOptions = {},
  children: readonly Spec<unknown>[] = [],
): Spec<H> => {
  if (!isLogic(logic))
    return refuse(`actor ${String(id)}`, 'logic', 'a logic, such as server({ … }) or fromMachine(…)', logic);
  const where = `${logic.kind} ${String(id)}`;
  check(where, 'id', identifier, id);
  const resolved = resolveOptions(where, options, SPEC_FIELDS, SPEC_DEFAULTS) as unknown as Resolved;
  if (typeof resolved.backoff === 'object') resolveBackoff(`${where}.backoff`, resolved.backoff);
  if (resolved.significant && options.restart !== 'transient' && options.restart !== 'temporary')
    refuse(where, 'significant', "false where restart is 'permanent' (its ends are never final)", true);
  const { restartBudget } = resolved;
  const checked: Resolved = {
    ...resolved,
    dependsOn: dependenciesOf(where, options) as readonly Spec<Dependable>[],
    ...(restartBudget === undefined
      ? {}
      : { restartBudget: resolveBudget(`${where}.restartBudget`, restartBudget) }),
  };
  return new ChildSpec(id, logic, checked, Object.freeze([...children]));
};

/** Whether `value` is a spec, of this or another copy of troupe. */
export const isSpec = (value: unknown): value is Spec<unknown> =>
  typeof value === 'object' && value !== null && (value as { [BRAND]?: unknown })[BRAND] === true;
