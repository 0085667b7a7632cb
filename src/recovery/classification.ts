/**
 * The one table of errors: what kind of failure it is, how bad, and what is to be done about it.
 *
 * Invariant: classifying is total (whatever was thrown, there is an answer, and no getter or matcher can make it throw) and
 * idempotent (a classification, or an error that carries one, is given back as it is). It performs no remedy.
 */
import { check, fn, object, oneOf, resolveOptions } from '../base/options.ts';
import { type KnownMatch, knownMatch, read, type Verdict, wordsOf } from './known-errors.ts';
import {
  CATEGORIES,
  type Category,
  DEFAULT_SEVERITIES,
  REMEDIES,
  type Remedy,
  type RemedyChoice,
  type RemedyGrid,
  remedies,
  resolveRemedy,
  SEVERITIES,
  type Severity,
} from './remedy.ts';

const BRAND = Symbol.for('troupe/classification');
/** Under this key an error carries its classification. */
const CARRIED = Symbol.for('troupe/classified');

/** What the caller knows about the failure. */
export interface FailureContext {
  /** Which attempt failed, from 1. Default 1. */
  readonly attempt?: number;
  /** Overrides every rule of severity. */
  readonly severity?: Severity;
  /** Every worker or replica is affected. Default `false`. */
  readonly affectingAll?: boolean;
  /** A user waits for it. Default `false`. */
  readonly userFacing?: boolean;
  /** Where it happened; for logs. */
  readonly component?: string;
  readonly worker?: string;
  readonly session?: string;
}

/** What is known of one failure. Frozen; recognised by its brand `Symbol.for('troupe/classification')`. */
export interface Classification {
  readonly category: Category;
  readonly severity: Severity;
  readonly remedy: Remedy;
  /** Whether the remedy would run the operation once more after this attempt. */
  readonly retryable: boolean;
  /** How long the other side asks to be left alone, ms. */
  readonly retryAfterMs: number | undefined;
  /** The word it was recognised by, or else the outermost error's: a code, a name, a tag. */
  readonly code: string | undefined;
  readonly attempt: number;
  readonly userFacing: boolean;
  readonly component: string | undefined;
  readonly worker: string | undefined;
  readonly session: string | undefined;
  /** What was classified, as it was given. */
  readonly error: unknown;
}

/** A classification as data that can be kept and sent: all but the error itself. */
export type ClassificationData = Omit<Classification, 'error'>;

/**
 * Recognises errors: a table from codes, names or tags to verdicts, or a function, which says nothing (`undefined`) about
 * what it does not know. A function that throws has said nothing.
 */
export type Matcher = ((error: unknown) => Verdict | undefined) | Readonly<Record<string, Verdict>>;

export interface ClassifierOptions {
  /** Asked before the built-in ones, in order, of the error and of all it wraps. */
  readonly matchers?: readonly Matcher[];
  /** Category → severity, where other than {@link DEFAULT_SEVERITIES}. */
  readonly severities?: Partial<Record<Category, Severity>>;
  /** Category → severity → remedy, where other than {@link REMEDIES}. */
  readonly remedies?: Partial<Record<Category, Partial<Record<Severity, RemedyChoice>>>>;
  /** The wall clock, ms since the epoch, for Retry-After dates; without it the response's own Date field is used. */
  readonly wall?: () => number;
}

export interface Classifier {
  /** Never throws; classifying what is classified gives the same value back, whatever the context. */
  classify(error: unknown, context?: FailureContext): Classification;
  readonly severities: Readonly<Record<Category, Severity>>;
  readonly remedies: RemedyGrid;
}

/** From this attempt on severity is raised by one level. Source: DSPex. */
const RAISED_AFTER_ATTEMPTS = 3;
/** A critical failure is not fought beyond this attempt. Source: DSPex. */
const CRITICAL_ATTEMPTS = 2;
/** How many errors are looked at within one: causes of causes, members of aggregates. Deeper ones are not looked at. */
export const MAX_WRAPPED = 64;

const branded = (classification: Classification): Classification =>
  Object.freeze(Object.defineProperty({ ...classification }, BRAND, { value: true }));

/** The part of a classification that a journal keeps. */
export const classificationData = ({ error: _error, ...data }: Classification): ClassificationData => data;

/** The classification that a journal kept, of an error that is gone with its process. */
export const reviveClassification = (data: ClassificationData): Classification =>
  branded({ ...data, error: undefined });

/** Whether `value` is a classification, of this or another copy of troupe. */
export const isClassification = (value: unknown): value is Classification => read(value, BRAND) === true;

/** The classification that an error carries, itself or by what it wraps. */
export const classificationOf = (error: unknown): Classification | undefined => carriedIn(unwrap(error));

const carriedIn = (links: readonly unknown[]): Classification | undefined => {
  for (const link of links) {
    if (isClassification(link)) return link;
    const carried = read(link, CARRIED);
    if (isClassification(carried)) return carried;
  }
  return undefined;
};

/** Lets an error carry its classification, so that whoever catches it next need not guess again. Gives it back. */
export const carry = <E extends object>(error: E, classification: Classification): E => {
  if (Object.isExtensible(error) && classificationOf(error) === undefined)
    Object.defineProperty(error, CARRIED, { value: classification });
  return error;
};

/** The error and all it wraps, outermost first: exit reasons, causes, aggregates, the last reason of a supervisor. */
const unwrap = (error: unknown): readonly unknown[] => {
  const links = new Set<unknown>([error]);
  for (const link of links) {
    const members = read(link, 'errors');
    const inner = [
      read(link, 'error'),
      read(link, 'cause'),
      read(read(link, 'gaveUp'), 'last'),
      ...(Array.isArray(members) ? members.slice(0, MAX_WRAPPED) : []),
    ];
    for (const wrapped of inner)
      if (wrapped !== undefined && wrapped !== null && links.size < MAX_WRAPPED) links.add(wrapped);
  }
  return [...links];
};

const severityOf = (
  base: Severity,
  context: Required<Pick<FailureContext, 'attempt'>> & FailureContext,
): Severity => {
  if (context.severity !== undefined) return context.severity;
  if (context.attempt > RAISED_AFTER_ATTEMPTS) return base === 'minor' ? 'major' : 'critical';
  if (context.affectingAll === true) return 'critical';
  return context.userFacing === true && base === 'minor' ? 'major' : base;
};

class TableClassifier implements Classifier {
  readonly severities: Readonly<Record<Category, Severity>>;
  readonly remedies: RemedyGrid;
  readonly #matchers: readonly ((error: unknown) => unknown)[];
  readonly #wall: (() => number) | undefined;

  constructor(options: ClassifierOptions) {
    this.severities = Object.freeze({ ...DEFAULT_SEVERITIES, ...options.severities });
    this.remedies = mergeRemedies(options.remedies ?? {});
    this.#matchers = (options.matchers ?? []).map(matcherFunction);
    this.#wall = options.wall;
    Object.freeze(this);
  }

  classify(error: unknown, context: FailureContext = {}): Classification {
    const links = unwrap(error);
    const carried = carriedIn(links);
    if (carried !== undefined) return carried;
    const found = this.#byUser(links) ?? this.#byTable(links);
    const match: KnownMatch = found?.match ?? { category: 'system' };
    const attempt = context.attempt ?? 1;
    const base = match.severity ?? this.severities[match.category];
    const severity = severityOf(base, { ...context, attempt });
    const remedy =
      severity === 'critical' && attempt > CRITICAL_ATTEMPTS
        ? remedies.abandon
        : (match.remedy ?? this.remedies[match.category][severity]);
    return branded({
      category: match.category,
      severity,
      remedy,
      retryable: attempt <= remedy.attempts,
      retryAfterMs: match.retryAfterMs,
      code: wordsOf(found?.link ?? error)[0],
      attempt,
      userFacing: context.userFacing ?? false,
      component: context.component,
      worker: context.worker,
      session: context.session,
      error,
    });
  }

  #byUser(links: readonly unknown[]): Found | undefined {
    for (const matcher of this.#matchers) {
      for (const link of links) {
        const match = matchOf(ask(matcher, link));
        if (match !== undefined) return { link, match };
      }
    }
    return undefined;
  }

  #byTable(links: readonly unknown[]): Found | undefined {
    const wallMs = this.#wall?.();
    for (const link of links) {
      const match = knownMatch(link, wallMs);
      if (match !== undefined) return { link, match };
    }
    return undefined;
  }
}

interface Found {
  readonly link: unknown;
  readonly match: KnownMatch;
}

/** The one place where a user's matcher is called. */
const ask = (matcher: (error: unknown) => unknown, error: unknown): unknown => {
  try {
    return matcher(error);
  } catch {
    return undefined;
  }
};

/** What a matcher said, if it is a verdict at all: in the midst of a failure a wrong answer counts as none. */
const matchOf = (verdict: unknown): KnownMatch | undefined => {
  const category = typeof verdict === 'string' ? verdict : read(verdict, 'category');
  if (!CATEGORIES.includes(category as Category)) return undefined;
  const severity = read(verdict, 'severity');
  const remedy = remedyIn(verdict);
  const retryAfterMs = read(verdict, 'retryAfterMs');
  return {
    category: category as Category,
    ...(SEVERITIES.includes(severity as Severity) && { severity: severity as Severity }),
    ...(remedy !== undefined && { remedy }),
    ...(typeof retryAfterMs === 'number' && retryAfterMs >= 0 && { retryAfterMs }),
  };
};

const remedyIn = (verdict: unknown): Remedy | undefined => {
  const remedy = read(verdict, 'remedy');
  if (remedy === undefined) return undefined;
  try {
    return resolveRemedy('matcher', remedy as RemedyChoice);
  } catch {
    return undefined;
  }
};

const matcherFunction = (matcher: Matcher, index: number): ((error: unknown) => unknown) => {
  if (typeof matcher === 'function') return matcher;
  const where = `createClassifier().matchers[${index}]`;
  const table = new Map(
    Object.entries(check(where, 'matcher', object<object>('a function or a table'), matcher)),
  );
  for (const [word, verdict] of table) check(where, word, VERDICT, verdict);
  return (error) => wordsOf(error).reduce<unknown>((found, word) => found ?? table.get(word), undefined);
};

const VERDICT = {
  expected: `one of ${CATEGORIES.join(', ')}, or { category, severity?, remedy?, retryAfterMs? }`,
  accepts: (value: unknown): value is Verdict => matchOf(value) !== undefined,
};

const mergeRemedies = (changes: NonNullable<ClassifierOptions['remedies']>): RemedyGrid => {
  const merge = (category: Category): Readonly<Record<Severity, Remedy>> => {
    const where = `createClassifier().remedies.${category}`;
    const changed = resolveOptions(where, changes[category], REMEDY_ROW, REMEDIES[category]);
    return Object.freeze(
      Object.fromEntries(
        SEVERITIES.map((severity) => [
          severity,
          resolveRemedy(`${where}.${severity}`, changed[severity] as Remedy),
        ]),
      ) as Record<Severity, Remedy>,
    );
  };
  return Object.freeze(Object.fromEntries(CATEGORIES.map((c) => [c, merge(c)])) as Record<Category, never>);
};

const fieldsOf = <const K extends string, F>(keys: readonly K[], field: F) =>
  Object.fromEntries(keys.map((key) => [key, field])) as Record<K, F>;

const REMEDY_ROW = fieldsOf(SEVERITIES, object<Remedy>('a remedy'));
const FIELDS = {
  matchers: {
    expected: 'an array of functions and tables',
    accepts: (v: unknown): v is readonly Matcher[] => Array.isArray(v),
  },
  severities: object<object>(),
  remedies: object<object>(),
  wall: fn<() => number>(),
} as const;

/**
 * Makes a classifier: the built-in table with a user's changes.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const createClassifier = (options: ClassifierOptions = {}): Classifier => {
  const where = 'createClassifier()';
  resolveOptions(where, options, FIELDS, {});
  resolveOptions(`${where}.severities`, options.severities, fieldsOf(CATEGORIES, oneOf(...SEVERITIES)), {});
  resolveOptions(`${where}.remedies`, options.remedies, fieldsOf(CATEGORIES, object<object>()), {});
  return new TableClassifier(options);
};

/** The built-in table, unchanged. */
export const defaultClassifier: Classifier = createClassifier();

/** One line for logs. Source of its fields: DSPex's pool error handler. */
export const describeClassification = (classification: Classification): string => {
  const { category, severity, remedy, worker, session, attempt } = classification;
  return (
    `category=${category} severity=${severity} recovery=${remedy.kind} ` +
    `worker=${worker ?? 'N/A'} session=${session ?? 'N/A'} attempt=${attempt}`
  );
};
