/** The mailbox against a list: order, bound and account of every way in and out. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Call, infoMail, Mail, runMail, TELL } from '../../src/kernel/mail.ts';
import { Mailbox } from '../../src/kernel/mailbox.ts';
import type { Overflow } from '../../src/kernel/spec.ts';

type Op =
  | { readonly kind: 'tell' | 'call' | 'notice' | 'run' | 'first' | 'shift' }
  | { readonly kind: 'remove'; readonly nth: number };

const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom<Op>({ kind: 'tell' }, { kind: 'call' }) },
  { weight: 3, arbitrary: fc.constantFrom<Op>({ kind: 'notice' }, { kind: 'run' }, { kind: 'first' }) },
  { weight: 6, arbitrary: fc.constant<Op>({ kind: 'shift' }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), nth: fc.nat(20) }) },
);

const call = (message: unknown): Call =>
  new Call(message, undefined, {
    deadline: Number.POSITIVE_INFINITY,
    issuer: undefined,
    patient: false,
    resolve: () => undefined,
    reject: () => undefined,
  });

/** A list that says what a mailbox must do. */
class Model {
  readonly first: Mail[] = [];
  readonly queue: { readonly mail: Mail; readonly counted: boolean }[] = [];

  get counted(): number {
    return this.queue.filter((entry) => entry.counted).length;
  }

  offer(mail: Mail, capacity: number, overflow: Overflow): Mail | undefined {
    if (this.counted < capacity) {
      this.queue.push({ mail, counted: true });
      return undefined;
    }
    if (overflow !== 'drop_oldest') return mail;
    const oldest = this.queue.findIndex((entry) => entry.counted);
    const [evicted] = this.queue.splice(oldest, 1);
    this.queue.push({ mail, counted: true });
    return evicted?.mail;
  }

  get all(): readonly Mail[] {
    return [...this.first, ...this.queue.map((entry) => entry.mail)];
  }
}

const step = (mailbox: Mailbox, model: Model, op: Op, rules: { capacity: number; overflow: Overflow }) => {
  const { capacity, overflow } = rules;
  switch (op.kind) {
    case 'tell':
    case 'call': {
      const mail = op.kind === 'tell' ? new Mail(TELL, 'x', undefined) : call('x');
      expect(mailbox.offer(mail, capacity, overflow)).toBe(model.offer(mail, capacity, overflow));
      return;
    }
    case 'notice':
    case 'run': {
      const mail = op.kind === 'run' ? runMail(() => undefined) : infoMail({ type: 'timeout' });
      mailbox.push(mail);
      model.queue.push({ mail, counted: false });
      return;
    }
    case 'first': {
      const mail = runMail(() => undefined);
      mailbox.pushFirst(mail);
      model.first.push(mail);
      return;
    }
    case 'shift':
      expect(mailbox.shift()).toBe(model.first.length > 0 ? model.first.shift() : model.queue.shift()?.mail);
      return;
    default: {
      const gone = model.queue.splice(op.nth, 1)[0]?.mail;
      mailbox.remove((mail) => mail === gone);
    }
  }
};

describe('the mailbox', () => {
  it('keeps order, bound and account, whatever comes', () => {
    const rules = fc.record({
      capacity: fc.integer({ min: 1, max: 6 }),
      overflow: fc.constantFrom<Overflow>('reject', 'drop_newest', 'drop_oldest'),
    });
    fc.assert(
      fc.property(rules, fc.array(op, { maxLength: 60 }), (rules, ops) => {
        const [mailbox, model] = [new Mailbox(), new Model()];
        for (const op of ops) {
          step(mailbox, model, op, rules);
          expect(mailbox.counted).toBe(model.counted);
          expect(mailbox.counted).toBeLessThanOrEqual(rules.capacity);
          expect(mailbox.size).toBe(model.all.length);
        }
        const left: unknown[] = [];
        for (let mail = mailbox.shift(); mail !== undefined; mail = mailbox.shift()) left.push(mail);
        expect(left).toEqual(model.all);
        expect([mailbox.size, mailbox.counted]).toEqual([0, 0]);
      }),
      { numRuns: 500 },
    );
  });
});
