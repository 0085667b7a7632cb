/**
 * What stays comparable where several faults happen in one step: at once by the script's will, or because a link passes one on
 * to a worker that does not trap exits.
 *
 * Invariant: faults in different subtrees of a supervisor that restarts one for one have no order between them and do not
 * touch each other, unless that supervisor ends; the order within each subtree is kept. Everything else (a group restarted for
 * two reasons, a supervisor that ends meanwhile) Erlang leaves to chance, and so does the comparison: such a step is open.
 */
import type { Script, ScriptNode, ScriptOp } from './script-format.ts';
import type { TraceStep } from './script-runner.ts';

export type Event = readonly unknown[];
/** Runs of events that have no order between them. */
type Runs = readonly (readonly Event[])[];

const OPEN = 'open';

interface Link {
  readonly one: string;
  readonly other: string;
}

const incarnation = (place: unknown, n: unknown): string => `${String(place)} ${String(n)}`;
const placeOf = (living: string): string => living.slice(0, living.lastIndexOf(' '));

/** Follows one trace of a script and says of each step which faults it holds. */
export class FaultTracker {
  readonly #script: Script;
  readonly #added = new Map<string, ScriptNode>();
  #links: Link[] = [];
  #alive = new Map<string, string>();

  constructor(script: Script) {
    this.#script = script;
  }

  /** The places of the faults of a step, to be asked step by step. */
  faultsOf(index: number, step: TraceStep): ReadonlySet<string> {
    const op = this.#script.ops[index - 1];
    const faults = new Set(op?.op === 'together' ? op.ops?.map(({ path }) => path ?? '') : []);
    for (const place of this.#passedOn(step)) faults.add(place);
    if (faults.size > 0 && op?.path !== undefined) faults.add(op.path);
    if (op !== undefined) this.#learn(op, step);
    this.#alive = new Map((step.tree as readonly Event[]).map(([place, n]) => [String(place), String(n)]));
    return faults;
  }

  /** The ends of links by which an end was passed on. */
  #passedOn({ deaths }: TraceStep): readonly string[] {
    const reasons = new Map(
      (deaths as readonly Event[]).map(([place, n, reason]) => [incarnation(place, n), reason]),
    );
    const ends = this.#links.flatMap(({ one, other }) => [[one, other] as const, [other, one] as const]);
    const told = ends.filter(
      ([from, to]) =>
        reasons.has(from) && reasons.get(from) !== 'normal' && this.nodeAt(placeOf(to))?.trap === false,
    );
    this.#links = this.#links.filter(({ one, other }) => !reasons.has(one) && !reasons.has(other));
    return told.flatMap((pair) => pair.map(placeOf));
  }

  #learn(op: ScriptOp, { ret }: TraceStep): void {
    if (op.op === 'start_child' && op.spec !== undefined && (ret === 'ok' || ret === 'ok_undefined'))
      this.#added.set(`${op.sup}/${op.spec.id}`, op.spec);
    if (ret !== 'ok' || (op.op !== 'link' && op.op !== 'unlink')) return;
    const [one, other] = [op.path ?? '', op.to ?? ''].map((path) =>
      incarnation(path, this.#alive.get(path)),
    ) as [string, string];
    const isSame = (link: Link) =>
      (link.one === one && link.other === other) || (link.one === other && link.other === one);
    this.#links = this.#links.filter((link) => !isSame(link));
    if (op.op === 'link') this.#links.push({ one, other });
  }

  /** The spec of whoever lives at a place. */
  nodeAt(path: string): ScriptNode | undefined {
    const added = this.#added.get(path);
    if (added !== undefined) return added;
    const [, ...segments] = path.split('/');
    let node: ScriptNode | undefined = this.#script.tree;
    for (const segment of segments) {
      const id = segment.split('#')[0];
      node = node?.children?.find((child) => child.id === id);
    }
    return node;
  }

  /** The events of a step in runs without order between them; `open` where Erlang leaves the outcome to chance. */
  arrange(step: TraceStep, faults: ReadonlySet<string>): Runs | typeof OPEN {
    const events = step.events as readonly Event[];
    if (faults.size < 2) return [events];
    const ended = new Set((step.deaths as readonly Event[]).map(([place]) => String(place)));
    return this.#below(this.#script.tree.id, { events, faults: [...faults], ended });
  }

  #below(supervisor: string, found: Found): Runs | typeof OPEN {
    const { events, faults, ended } = found;
    const children = new Set(faults.map((fault) => childBelow(supervisor, fault)));
    const [only] = children;
    if (children.size === 1 && only !== undefined) {
      if (faults.length === 1) return [events];
      return events.every(([, place]) => isWithin(only, String(place))) ? this.#below(only, found) : OPEN;
    }
    if (children.has(undefined) || ended.has(supervisor)) return OPEN;
    const own = events.filter(([, place]) => place === supervisor);
    const strategy = this.nodeAt(supervisor)?.strategy ?? 'one_for_one';
    const isGroup = strategy === 'one_for_all' || strategy === 'rest_for_one';
    if (isGroup && own.length > 0) return OPEN;
    const runs: (readonly Event[])[] = [];
    const isTemplate = strategy === 'simple_one_for_one';
    // Its reports of dynamic children do not say of which.
    if (isTemplate) runs.push(...own.map((event) => [event]));
    for (const child of [...(children as ReadonlySet<string>)].sort()) {
      const isOfChild = ([, place, id]: Event) =>
        isWithin(child, String(place)) ||
        (!isTemplate && place === supervisor && `${supervisor}/${id}` === child);
      const inside = {
        events: events.filter(isOfChild),
        faults: faults.filter((f) => isWithin(child, f)),
        ended,
      };
      const arranged = inside.faults.length === 1 ? [inside.events] : this.#below(child, inside);
      if (arranged === OPEN) return OPEN;
      runs.push(...arranged);
    }
    const isPlaced = runs.reduce((count, run) => count + run.length, 0) === events.length;
    return isPlaced ? runs : OPEN;
  }
}

interface Found {
  readonly events: readonly Event[];
  readonly faults: readonly string[];
  /** Places that ended in the step. */
  readonly ended: ReadonlySet<string>;
}

const isWithin = (place: string, path: string): boolean => path === place || path.startsWith(`${place}/`);

/** The child of a supervisor at or below which a place is; nothing for the supervisor itself and what is elsewhere. */
const childBelow = (supervisor: string, path: string): string | undefined => {
  if (!path.startsWith(`${supervisor}/`)) return undefined;
  const end = path.indexOf('/', supervisor.length + 1);
  return end < 0 ? path : path.slice(0, end);
};
