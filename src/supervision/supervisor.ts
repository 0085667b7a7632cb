/**
 * `supervisor(id, options)`: the spec of a static supervisor, its options checked before anything starts. What it does
 * is in static-supervisor.ts.
 */
import { createError } from '../base/errors.ts';
import { fits, identifier, listOf, oneOf, refuseWith, resolveOptions } from '../base/options.ts';
import type { ActorContextOfCell } from '../kernel/context.ts';
import type { ActorContext, Logic } from '../kernel/logic.ts';
import {
  BACKOFF_DEFAULTS,
  createSpec,
  isSpec,
  resolveBackoff,
  SPEC_FIELDS,
  type Spec,
  type SpecOptions,
} from '../kernel/spec.ts';
import { checkChild } from './child-rules.ts';
import { checkOrder } from './dependencies.ts';
import { type GiveUp, INTENSITY, LIMIT_FIELDS, PERIOD_MS } from './restart-limit.ts';
import { StaticSupervisor, type Strategy } from './static-supervisor.ts';
import type { AutoShutdown, Rules } from './supervision.ts';
import { HandleOfSupervisor, type SupervisorHandle } from './supervisor-handle.ts';

/** Options of {@link supervisor}, beside those of every spec. Times in ms. */
export interface SupervisorOptions
  extends Omit<SpecOptions, 'input' | 'backoff' | 'onShutdown' | 'overflow'> {
  /** Children in the order in which they start. */
  readonly children: readonly Spec<unknown>[];
  /** Default `'one_for_one'`. */
  readonly strategy?: Strategy;
  /** Restarts allowed within `periodMs` before it gives up. Default 3. */
  readonly intensity?: number;
  /** Default 5,000. */
  readonly periodMs?: number;
  /** How its children back off; `false`: at once, always, as OTP does. Default: at once first, then 100 ms × 2 to 30,000, full jitter. */
  readonly backoff?: SpecOptions['backoff'];
  /** Instead of the intensity: `{ afterFailures }` of one child in a row, or `'never'`. */
  readonly giveUp?: Exclude<GiveUp, undefined>;
  /** How it ends when it gives up: `'gave_up'` (abnormal, so that parents act), or OTP's silent `'shutdown'`. Default `'gave_up'`. */
  readonly onGiveUp?: 'gave_up' | 'shutdown';
  /** Whether it ends with `shutdown` when a significant child (`any`), or the last of them (`all`), has ended by itself. Default `'never'`. */
  readonly autoShutdown?: AutoShutdown;
}

export const AUTO_SHUTDOWN: AutoShutdown = 'never';

const OWN_FIELDS = {
  ...LIMIT_FIELDS,
  strategy: oneOf('one_for_one', 'one_for_all', 'rest_for_one'),
  children: listOf(fits<Spec<unknown>>('a spec', isSpec, 'specs')),
  backoff: SPEC_FIELDS.backoff,
};

const {
  input: _input,
  backoff: _backoff,
  onShutdown: _drain,
  overflow: _overflow,
  ...COMMON_FIELDS
} = SPEC_FIELDS;
/** The options a supervisor shares with every spec. */
export const SUPERVISOR_SPEC_FIELDS = COMMON_FIELDS;

/** The defaults in which a supervisor differs from a worker (OTP): its children's allowances bound its stop and start. */
export const SUPERVISOR_SPEC_DEFAULTS = {
  shutdownMs: Number.POSITIVE_INFINITY,
  initTimeoutMs: Number.POSITIVE_INFINITY,
} as const;

/** Splits a supervisor's options into its rules and what every spec takes. */
export const rulesOf = (where: string, options: Readonly<Record<string, unknown>>): Rules => ({
  intensity: (options['intensity'] as number | undefined) ?? INTENSITY,
  periodMs: (options['periodMs'] as number | undefined) ?? PERIOD_MS,
  backoff:
    options['backoff'] === false
      ? false
      : resolveBackoff(`${where}.backoff`, options['backoff'], BACKOFF_DEFAULTS),
  giveUp: options['giveUp'] as GiveUp,
  onGiveUp: (options['onGiveUp'] as Rules['onGiveUp'] | undefined) ?? 'gave_up',
  autoShutdown: (options['autoShutdown'] as AutoShutdown | undefined) ?? AUTO_SHUTDOWN,
});

/** The options among `resolved` that every spec takes, with a supervisor's defaults. */
export const specOptionsOf = (resolved: Readonly<Record<string, unknown>>): SpecOptions => {
  const common = Object.fromEntries(Object.entries(resolved).filter(([key]) => key in COMMON_FIELDS));
  return { ...SUPERVISOR_SPEC_DEFAULTS, ...common };
};

/** @throws ERR_OPTION_INVALID, ERR_SPEC_DUPLICATE, ERR_INTENSITY_UNREACHABLE, ERR_DEPENDENCY_ORDER */
const checkChildren = (
  id: string,
  children: readonly Spec<unknown>[],
  rules: Rules,
  isGroup: boolean,
): void => {
  const seen = new Map<string, Spec<unknown>>();
  for (const child of children) {
    const other = seen.get(child.id);
    if (other === child) throw createError('ERR_SPEC_DUPLICATE', { id: child.id, first: id, second: id });
    if (other !== undefined)
      refuseWith(`supervisor ${id}`, 'children', 'specs with different ids', `two with the id ${child.id}`);
    seen.set(child.id, child);
    checkChild(`supervisor ${id}`, child, rules, isGroup);
  }
  checkOrder(`supervisor ${id}`, children);
};

/**
 * Whether specs may stand side by side below a supervisor of these options (OTP's check_childspecs), before there is one.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN, ERR_SPEC_DUPLICATE, ERR_INTENSITY_UNREACHABLE, ERR_DEPENDENCY_ORDER
 */
export const checkChildSpecs = (
  children: readonly Spec<unknown>[],
  options: Omit<SupervisorOptions, 'children'> = {},
): void => {
  supervisor('checkChildSpecs', { ...options, children });
};

/**
 * The spec of a static supervisor: its children start in order and stop in reverse; the strategy says who is restarted with
 * whom. The semantics are OTP's (`docs/SEMANTICS.md`), times in ms.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN, ERR_SPEC_DUPLICATE, ERR_INTENSITY_UNREACHABLE, ERR_DEPENDENCY_ORDER
 */
export const supervisor = (id: string, options: SupervisorOptions): Spec<SupervisorHandle> => {
  const where = `supervisor ${String(id)}`;
  resolveOptions(where, { id }, { id: identifier }, {});
  const resolved = resolveOptions(
    where,
    options,
    { ...COMMON_FIELDS, ...OWN_FIELDS },
    { strategy: 'one_for_one', children: [] },
  );
  const rules = rulesOf(where, resolved);
  const children = resolved.children as readonly Spec<unknown>[];
  const strategy = resolved.strategy as Strategy;
  checkChildren(id, children, rules, strategy !== 'one_for_one');
  const logic: Logic<SupervisorHandle> = {
    kind: 'supervisor',
    traits: { strategy },
    start: (context: ActorContext) =>
      new StaticSupervisor(context as ActorContextOfCell, strategy, rules).start(children),
    handle: (place) => new HandleOfSupervisor(place),
  };
  return createSpec(id, logic, specOptionsOf(resolved), children);
};
