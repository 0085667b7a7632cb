/**
 * What can be checked, and when it counts as ill: values that describe checks. Nothing is read before a monitor runs them.
 *
 * A reading is a number, and more is worse. Ill from `enter` on, well below `leave`; between the two what was thought of it stays.
 */
import type { Host } from '../base/host.ts';
import { check, fits, fn, integer, ms, oneOf, ratio, refuse, resolveOptions, text } from '../base/options.ts';
import type { Awaitable } from '../kernel/logic.ts';

/** What of the service depends on it. */
export type HealthAffects = 'nothing' | 'readiness' | 'liveness';

/** How a check is run and judged. Times in ms. */
export interface CheckOptions {
  /** Ill from this reading on. */
  readonly enter?: number;
  /** Well below this reading; at most `enter`. */
  readonly leave?: number;
  /** Bad readings in a row that make it unhealthy. Default 3. */
  readonly enterAfter?: number;
  /** Good readings in a row that make it healthy again. Default 2. */
  readonly leaveAfter?: number;
  /** From one reading to the next. Default 30,000. */
  readonly intervalMs?: number;
  /** How long a reading may take; then it was bad, and its signal aborts. Default 5,000. */
  readonly timeoutMs?: number;
  /**
   * What is not given while it is unhealthy. `readiness` also as long as nobody has looked. `liveness` only for what a restart of this very
   * process mends, never for upstreams. Default `'nothing'`.
   */
  readonly affects?: HealthAffects;
  /** The load, from 0 to 1, that load shedding is told while it is unhealthy: 0.8 lets no `normal` and `low` calls in. Default 0. */
  readonly sheds?: number;
}

export interface ProbeContext {
  /** Aborts when the time is over, or the monitor ends. */
  readonly signal: AbortSignal;
}

/** What is asked again and again. `undefined`: it cannot be known. */
export interface Meter {
  read(context: ProbeContext): Awaitable<number | undefined>;
  end?(): void;
}

/** A check, described. */
export interface HealthCheck extends Required<CheckOptions> {
  readonly what: string;
  /** What readings are counted in, for people. */
  readonly unit: string;
  readonly meter: (host: Host) => Meter;
}

export const CHECK_DEFAULTS = Object.freeze({
  enterAfter: 3,
  leaveAfter: 2,
  intervalMs: 30_000,
  timeoutMs: 5_000,
  affects: 'nothing' as const,
  sheds: 0,
});

export const LIMITS = Object.freeze({
  loopLag: { enter: 500, leave: 100 },
  heap: { enter: 0.9, leave: 0.8 },
  memory: { enter: 0.95, leave: 0.85 },
  disk: { enter: 0.95, leave: 0.9 },
  descriptors: { enter: 0.8, leave: 0.7 },
  children: { enter: 200, leave: 100 },
  probe: { enter: 1, leave: 1 },
});

const limit = fits<number>('a number', (value) => typeof value === 'number' && Number.isFinite(value));

const FIELDS = {
  enter: limit,
  leave: limit,
  enterAfter: integer(1),
  leaveAfter: integer(1),
  intervalMs: ms(1),
  timeoutMs: ms(1),
  affects: oneOf('nothing', 'readiness', 'liveness'),
  sheds: ratio(),
} as const;

interface Kind {
  readonly what: string;
  readonly unit: string;
  readonly limits: { readonly enter: number; readonly leave: number };
}

const create = (
  { what, unit, limits }: Kind,
  options: CheckOptions,
  meter: HealthCheck['meter'],
): HealthCheck => {
  const resolved = resolveOptions(what, options, FIELDS, { ...CHECK_DEFAULTS, ...limits });
  const { enter, leave } = resolved;
  if (leave > enter) refuse(what, 'leave', `at most enter (${enter})`, leave);
  return Object.freeze({ ...resolved, what, unit, meter });
};

const share = (part: number, whole: number | undefined): number | undefined =>
  whole === undefined || whole <= 0 ? undefined : part / whole;

/** How often the loop is looked at between two readings, ms. */
const LAG_SAMPLE_MS = 250;

/**
 * How late the loop was, at worst, since the reading before, ms; a timer looks four times a second. Ill from 500, well below 100, unless told
 * otherwise; read every 5,000.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const loopLag = (options: CheckOptions = {}): HealthCheck =>
  create(
    { what: 'loopLag', unit: 'ms', limits: LIMITS.loopLag },
    { intervalMs: 5_000, ...options },
    (host) => {
      let worst = 0;
      let due = 0;
      const sample = () => {
        due = host.monotonic() + LAG_SAMPLE_MS;
        return host.timer(LAG_SAMPLE_MS, 'loop lag', look, { unref: true });
      };
      const look = (): void => {
        worst = Math.max(worst, host.monotonic() - due);
        timer = sample();
      };
      let timer = sample();
      const unlisten = host.onStall((lateMs) => {
        worst = Math.max(worst, lateMs);
      });
      return {
        read: () => {
          const reading = Math.max(worst, host.monotonic() - due, 0);
          worst = 0;
          return reading;
        },
        end: () => {
          timer.cancel();
          unlisten();
        },
      };
    },
  );

/** The share of V8's heap limit that is used. Ill from 0.9, well below 0.8. @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const heapUse = (options: CheckOptions = {}): HealthCheck =>
  create({ what: 'heapUse', unit: 'share', limits: LIMITS.heap }, options, ({ vitals }) => ({
    read: () => {
      const { heapUsedBytes, heapLimitBytes } = vitals.memory();
      return share(heapUsedBytes, heapLimitBytes);
    },
  }));

/**
 * The share of the memory that the container, or `limitBytes`, allows which the process holds. Unknown without a limit. Ill from 0.95, well
 * below 0.85. @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const residentMemory = ({
  limitBytes,
  ...options
}: CheckOptions & { readonly limitBytes?: number } = {}): HealthCheck => {
  if (limitBytes !== undefined) check('residentMemory', 'limitBytes', integer(1), limitBytes);
  return create({ what: 'residentMemory', unit: 'share', limits: LIMITS.memory }, options, ({ vitals }) => ({
    read: () => {
      const { residentBytes, residentLimitBytes } = vitals.memory();
      return share(residentBytes, limitBytes ?? residentLimitBytes);
    },
  }));
};

/** The share of a file system that is used. Ill from 0.95, well below 0.9. @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const diskUse = (path: string, options: CheckOptions = {}): HealthCheck => {
  check('diskUse', 'path', text, path);
  return create({ what: 'diskUse', unit: 'share', limits: LIMITS.disk }, options, ({ vitals }) => ({
    read: async () => {
      const { totalBytes, freeBytes } = await vitals.disk(path);
      return share(totalBytes - freeBytes, totalBytes);
    },
  }));
};

/** The share of file descriptors that are open. Ill from 0.8, well below 0.7. @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const fileDescriptors = (options: CheckOptions = {}): HealthCheck =>
  create({ what: 'fileDescriptors', unit: 'share', limits: LIMITS.descriptors }, options, ({ vitals }) => ({
    read: async () => {
      const found = await vitals.descriptors();
      return found === undefined ? undefined : share(found.open, found.limit);
    },
  }));

/**
 * How many OS processes are this one's children, those included that have ended and were not waited for. Ill from 200, well below 100.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const childProcesses = (options: CheckOptions = {}): HealthCheck =>
  create({ what: 'childProcesses', unit: 'processes', limits: LIMITS.children }, options, ({ vitals }) => ({
    read: async () => {
      const found = await vitals.children();
      return found === undefined ? undefined : found.living + found.zombies;
    },
  }));

/**
 * Asks something of yours: a database ping. It is well when it returns, ill when it throws, rejects or takes too long. It only asks: what it
 * finds ill is mended by who owns it.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const probe = (
  ask: (context: ProbeContext) => unknown,
  options: Omit<CheckOptions, 'enter' | 'leave'> = {},
): HealthCheck => {
  check('probe', 'ask', fn(), ask);
  return create({ what: 'probe', unit: 'failures', limits: LIMITS.probe }, options, () => ({
    read: async (context) => {
      await ask(context);
      return 0;
    },
  }));
};

/** A reading of your own: more is worse. `enter` and `leave` say from where on. @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const measured = (
  read: (context: ProbeContext) => Awaitable<number | undefined>,
  options: CheckOptions & { readonly enter: number; readonly leave: number },
): HealthCheck => {
  check('measured', 'read', fn(), read);
  const { enter, leave } = options;
  return create({ what: 'measured', unit: '', limits: { enter, leave } }, options, () => ({ read }));
};
