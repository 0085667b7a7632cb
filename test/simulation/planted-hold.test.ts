/** Each property of the hold finds the bug that it is there for. */
import { describe, expect, it } from 'vitest';
import { ActorContextOfCell } from '../../src/kernel/context.ts';
import { BreakerGate } from '../../src/supervision/breaker-gate.ts';
import { Hold } from '../../src/supervision/hold.ts';
import { Supervision } from '../../src/supervision/supervision.ts';
import { found, plant, takeBackAfterEach } from './planting.ts';
import { hold } from './scenarios/hold.ts';
import type { AnyScenario } from './scenarios/index.ts';

const RUN = hold as AnyScenario;

describe('a hold is caught', () => {
  takeBackAfterEach();

  it('lasting longer than it may', async () => {
    plant(
      ActorContextOfCell,
      'postAfter',
      (original) =>
        function (this: never, ...args: unknown[]) {
          if (String(args[1]).startsWith('hold ')) return { cancel: () => undefined };
          return Reflect.apply(original, this, args as never);
        },
    );
    expect(await found(RUN)).toBe('every hold ends');
  });

  it('spending the intensity of its supervisor', async () => {
    plant(Supervision, 'isCutOff', () => () => false);
    expect(await found(RUN)).toBe('a held child spends no intensity');
  });

  it('letting out all at once', async () => {
    plant(
      BreakerGate,
      'pass',
      () =>
        function (this: BreakerGate, waiter: never) {
          this.leave(waiter);
        } as never,
    );
    expect(await found(RUN)).toBe('held children start one at a time');
  });

  it('giving its turn away before the start is over', async () => {
    plant(
      Supervision,
      'launch',
      (original) =>
        function (this: never, ...args: { hold?: { leave(child: unknown): void } }[]) {
          const result = Reflect.apply(original, this, args as never);
          args[0]?.hold?.leave(args[0]);
          return result;
        } as never,
    );
    expect(await found(RUN)).toBe('held children start one at a time');
  });

  it('keeping nobody', async () => {
    plant(
      Hold,
      'keeps',
      (original) =>
        function (this: never, ...args: never[]) {
          Reflect.apply(original, this, args);
          return false;
        },
    );
    expect(await found(RUN)).toBe('no start while held');
  });
});
