/** Bugs of the kernel, each with the properties of `kernel` that find it. */
import { Cell } from '../../../src/kernel/cell.ts';
import { ActorContextOfCell } from '../../../src/kernel/context.ts';
import { Call, INFO, type Mail } from '../../../src/kernel/mail.ts';
import { Mailbox } from '../../../src/kernel/mailbox.ts';
import { PlaceHandle } from '../../../src/kernel/place-handle.ts';
import { SystemOfActors } from '../../../src/kernel/system.ts';
import { SimulatedHost } from '../../../src/testing/simulated-host.ts';
import type { AnyScenario } from '../scenarios/index.ts';
import { kernel } from '../scenarios/kernel.ts';
import { type Bug, forgetful, type Method, nothing, twice } from './plant.ts';
import { stuck } from './supervisors.ts';

const scenario = kernel as AnyScenario;

export const KERNEL_BUGS: readonly Bug[] = [
  {
    bug: 'mail overtakes mail',
    scenario,
    violates: ['mail keeps its order'],
    plant: (put) =>
      put(
        Mailbox,
        'shift',
        (original) =>
          function (this: Mailbox) {
            const first = Reflect.apply(original, this as never, []) as never;
            const second = Reflect.apply(original, this as never, []) as never;
            if (second === undefined) return first;
            this.push(first);
            return second;
          } as Method,
      ),
  },
  {
    bug: 'a kill waits for its turn',
    scenario,
    violates: ['orders overtake mail'],
    plant: (put) =>
      put(
        Cell,
        'kill',
        (original) =>
          function (this: Cell, ...args: never[]) {
            this.place.system.host.timer(5, 'planted', () => Reflect.apply(original, this as never, args));
          } as Method,
      ),
  },
  {
    bug: 'an answer is given later than its giver may live',
    scenario,
    violates: ['a reply beats the death'],
    plant: (put) =>
      put(
        Call,
        'reply',
        (original) =>
          function (this: Call, value: unknown) {
            const { callee } = this;
            callee?.place.system.host.timer(1, 'planted', () =>
              Reflect.apply(original, this as never, [value] as never),
            );
          } as Method,
      ),
  },
  {
    bug: 'an answer is another one',
    scenario,
    violates: ['the reply is to the call'],
    plant: (put) =>
      put(
        Call,
        'reply',
        (original) =>
          function (this: Call, value: unknown) {
            const changed = typeof value === 'number' ? value + 1 : value;
            return Reflect.apply(original, this as never, [changed] as never);
          } as Method,
      ),
  },
  {
    bug: 'news of an end comes twice',
    scenario,
    violates: ['a monitor tells once'],
    plant: (put) =>
      put(
        Mailbox,
        'push',
        (original) =>
          function (this: Mailbox, mail: Mail) {
            const isDown = mail.kind === INFO && (mail.message as { readonly type?: string }).type === 'down';
            if (isDown) Reflect.apply(original, this as never, [mail] as never);
            return Reflect.apply(original, this as never, [mail] as never);
          } as Method,
      ),
  },
  {
    bug: 'whoever calls the dead is told nothing',
    scenario,
    violates: ['every call settles'],
    plant: (put) => {
      put(Call, 'refuse', nothing);
      put(Call, 'abandon', nothing);
    },
  },
  {
    bug: 'what was suspended stays so',
    scenario,
    violates: ['liveness'],
    plant: (put) => put(Cell, 'resume', nothing),
  },
  {
    bug: 'the ended go on',
    scenario,
    violates: ['the ended are fenced'],
    plant: (put) => put(ActorContextOfCell, 'tell', () => () => 'sent'),
  },
  {
    bug: 'a handle stays with the incarnation that it saw first',
    scenario,
    violates: ['a handle follows its place'],
    plant: (put) => put(PlaceHandle, 'ref', stuck),
  },
  {
    bug: 'a second incarnation is started beside the first',
    scenario,
    violates: ['at most one incarnation a place'],
    plant: (put) => put(SystemOfActors, 'launch', twice),
  },
  {
    bug: 'nobody calls his timers off',
    scenario,
    violates: ['nothing is left'],
    plant: (put) => put(SimulatedHost, 'timer', forgetful),
  },
];
