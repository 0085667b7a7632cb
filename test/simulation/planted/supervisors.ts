/** Bugs of supervisors, static and dynamic. */
import { Cell } from '../../../src/kernel/cell.ts';
import { Call } from '../../../src/kernel/mail.ts';
import { PlaceHandle } from '../../../src/kernel/place-handle.ts';
import { SystemOfActors } from '../../../src/kernel/system.ts';
import { Child, type Fate } from '../../../src/supervision/child.ts';
import { RestartLimit } from '../../../src/supervision/restart-limit.ts';
import { Supervision } from '../../../src/supervision/supervision.ts';
import { Work } from '../../../src/supervision/work.ts';
import { dynamic } from '../scenarios/dynamic.ts';
import type { AnyScenario } from '../scenarios/index.ts';
import { supervision } from '../scenarios/supervision.ts';
import { type Bug, type Method, nothing, saying, twice } from './plant.ts';

const STATIC = supervision as AnyScenario;
const DYNAMIC = dynamic as AnyScenario;

/** Bugs that both kinds can have. */
const both = (bug: Omit<Bug, 'scenario'>): readonly Bug[] => [
  { ...bug, scenario: STATIC },
  { ...bug, scenario: DYNAMIC },
];

const lettingGo = (original: Method): Method =>
  function (this: Supervision, child: Child) {
    const { cell } = child;
    if (cell === undefined || child.spec.logic.kind !== 'server')
      return Reflect.apply(original, this as never, [child] as never);
    child.send({ type: 'terminate' });
    this.heard(child, cell, { kind: 'ended', reason: 'shutdown' });
    return undefined;
  } as Method;

export const SUPERVISOR_BUGS: readonly Bug[] = [
  ...both({
    bug: 'a second incarnation is started beside the first',
    violates: ['at most one incarnation a place'],
    plant: (put) => put(SystemOfActors, 'launch', twice),
  }),
  ...both({
    bug: 'the limit is never passed',
    violates: ['more failures than the limit escalate'],
    plant: (put) => put(RestartLimit, 'allows', saying(true)),
  }),
  ...both({
    bug: 'the limit is passed at once',
    violates: ['within the limit nobody gives up'],
    plant: (put) => put(RestartLimit, 'allows', () => () => false),
  }),
  ...both({
    bug: 'nothing wants a restart',
    violates: ['what is permanent comes back'],
    plant: (put) => put(Child, 'wantsRestart', () => () => false),
  }),
  ...both({
    bug: 'a start that failed leaves what it started',
    violates: ['a failed start leaves nothing'],
    plant: (put) =>
      put(
        Supervision,
        'started',
        (original) =>
          function (this: Supervision, child: Child, fate: Fate, why: never) {
            const { context } = this;
            const lies =
              fate.kind === 'started' && child.spec.logic.kind === 'server' && context.random.below(4) === 0;
            const told: Fate = lies ? { kind: 'failed', reason: 'normal' } : fate;
            return Reflect.apply(original, this as never, [child, told, why] as never);
          } as Method,
      ),
  }),
  ...both({
    bug: 'one answer in four is lost',
    violates: ['every operation settles'],
    plant: (put) => {
      let answers = 0;
      put(
        Call,
        'reply',
        (original) =>
          function (this: Call, value: unknown) {
            answers += 1;
            return answers % 4 === 0 ? undefined : Reflect.apply(original, this as never, [value] as never);
          } as Method,
      );
      put(
        Call,
        'refuse',
        (original) =>
          function (this: Call, error: unknown) {
            answers += 1;
            return answers % 4 === 0 ? undefined : Reflect.apply(original, this as never, [error] as never);
          } as Method,
      );
    },
  }),
  ...both({
    bug: 'a termination does not call off the restart that is due',
    violates: ['what was terminated stays down'],
    plant: (put) =>
      put(
        Child,
        'send',
        (original) =>
          function (this: Child, event: { readonly type: string }) {
            if (/^(?:terminate|forget)$/.test(event.type) && this.timer !== undefined) return undefined;
            return Reflect.apply(original, this as never, [event] as never);
          } as Method,
      ),
  }),
  ...both({
    bug: 'what came too late is closed twice',
    violates: ['terminate runs once'],
    plant: (put) => put(Cell, 'closeLate', twice),
  }),
  ...both({
    bug: 'what came too late is kept',
    violates: ['what came too late is closed once'],
    plant: (put) => put(Cell, 'closeLate', nothing),
  }),
  ...both({
    bug: 'an end is not counted',
    violates: ['nothing is left'],
    plant: (put) => put(SystemOfActors, 'actorEnded', nothing),
  }),
  {
    bug: 'a stop leaves the work under way to go on',
    scenario: STATIC,
    violates: ['no start after stop began'],
    plant: (put) => put(Work, 'abandon', nothing),
  },
  {
    bug: 'a child is started before the one before it has started',
    scenario: STATIC,
    violates: ['starts are serial'],
    plant: (put) =>
      put(
        Supervision,
        'launch',
        (original) =>
          function (this: Supervision, child: Child) {
            Reflect.apply(original, this as never, [child] as never);
            // Says that it has started, as soon as it has been launched.
            const { cell } = child;
            if (cell !== undefined && child.spec.logic.kind === 'server')
              this.heard(child, cell, { kind: 'started' });
          } as Method,
      ),
  },
  {
    bug: 'children stop in the order in which they started',
    scenario: STATIC,
    violates: ['stopped in reverse'],
    plant: (put) =>
      put(
        Cell,
        'stop',
        (original) =>
          function (this: Cell, ...args: never[]) {
            for (const child of this.children ?? []) Reflect.apply(original, child as never, args);
            return Reflect.apply(original, this as never, args);
          } as Method,
      ),
  },
  {
    bug: 'a failure stops whoever else the supervisor has',
    scenario: STATIC,
    violates: ['restarts touch the right set'],
    plant: (put) =>
      put(
        Supervision,
        'reportEnd',
        (original) =>
          function (this: Supervision, ...args: never[]) {
            for (const sibling of this.context.cell.children ?? [])
              sibling.stop('shutdown', Number.POSITIVE_INFINITY);
            return Reflect.apply(original, this as never, args);
          } as Method,
      ),
  },
  {
    bug: 'what is temporary is restarted',
    scenario: DYNAMIC,
    violates: ['what is temporary does not come back'],
    plant: (put) => put(Child, 'wantsRestart', () => () => true),
  },
  {
    bug: 'a start goes on though its supervisor stops',
    scenario: DYNAMIC,
    violates: ['no start after stop began'],
    plant: (put) =>
      put(
        Supervision,
        'tellToStop',
        (original) =>
          function (this: Supervision, child: Child) {
            if (child.cell?.starting === false) this.launch(child);
            return Reflect.apply(original, this as never, [child] as never);
          } as Method,
      ),
  },
  {
    bug: 'a child is forgotten before it is gone',
    scenario: DYNAMIC,
    violates: ['never more children than allowed'],
    plant: (put) => put(Supervision, 'tellToStop', lettingGo),
  },
  {
    bug: 'a start waits for its siblings',
    scenario: DYNAMIC,
    violates: ['a slow child delays no other'],
    plant: (put) =>
      put(
        Supervision,
        'launch',
        (original) =>
          function (this: Supervision, child: Child) {
            const others = [...(this.context.cell.children ?? [])];
            if (child.spec.logic.kind === 'server' && others.some(({ starting }) => starting))
              this.system.host.timer(100, 'planted', () => this.launch(child));
            else Reflect.apply(original, this as never, [child] as never);
          } as Method,
      ),
  },
  {
    bug: 'a refusal says nothing',
    scenario: DYNAMIC,
    violates: ['refusals say why'],
    plant: (put) => put(Supervision, 'refusal', () => () => new Error('no')),
  },
  {
    bug: 'a handle stays with the incarnation that it saw first',
    scenario: DYNAMIC,
    violates: ['a handle follows its place'],
    plant: (put) => put(PlaceHandle, 'ref', stuck),
  },
];

const first = new Map<string, unknown>();
/** Remembers the first answer for each place. */
export const stuck = (original: Method): Method => {
  first.clear();
  return function (this: PlaceHandle) {
    const { path } = this;
    const now = Reflect.apply(original, this as never, []);
    if (!first.has(path) && now !== undefined) first.set(path, now);
    return now === undefined ? now : first.get(path);
  } as Method;
};
