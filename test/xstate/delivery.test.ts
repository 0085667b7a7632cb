import { describe, expect, it } from 'vitest';
import { Delivery, type Mailable } from '../../src/xstate/delivery.ts';

interface Letter {
  readonly to: string;
  readonly text: string;
  readonly overrides?: boolean;
}

/** Actors that send what a script says when they read something. */
const post = (script: Record<string, readonly Letter[]>) => {
  const boxes = new Map<string, Mailable<Letter>>();
  const log: string[] = [];
  const delivery = new Delivery<Letter>({
    receiverOf: ({ to }) => {
      if (to === 'outside') return undefined;
      const box = boxes.get(to) ?? { frame: undefined };
      boxes.set(to, box);
      return box;
    },
    supersedes: ({ overrides }) => overrides === true,
    unheard: ({ to, text }) => log.push(`${to} never heard ${text}`),
    read: ({ to, text }) => {
      log.push(`${to}:${text}`);
      for (const letter of script[`${to}:${text}`] ?? []) delivery.add(letter);
    },
  });
  return { delivery, log };
};

describe('delivery inside a logic', () => {
  it('is depth first: what a receiver sends is heard before the next letter of its sender', () => {
    const { delivery, log } = post({
      'a:go': [
        { to: 'b', text: '1' },
        { to: 'c', text: '2' },
      ],
      'b:1': [{ to: 'c', text: 'from b' }],
    });
    delivery.add({ to: 'a', text: 'go' });
    expect(delivery.run(100)).toBe(true);
    expect(log).toEqual(['a:go', 'b:1', 'c:from b', 'c:2']);
  });

  it('lets mail to a busy actor wait until what it sent has been heard', () => {
    const { delivery, log } = post({
      'a:go': [
        { to: 'b', text: '1' },
        { to: 'b', text: '2' },
      ],
      'b:1': [{ to: 'a', text: 'answer' }],
      'a:answer': [{ to: 'outside', text: 'done' }],
    });
    delivery.add({ to: 'a', text: 'go' });
    delivery.run(100);
    expect(log).toEqual(['a:go', 'b:1', 'b:2', 'a:answer', 'outside:done']);
  });

  it('discards what waits before a letter that supersedes it', () => {
    const { delivery, log } = post({
      'a:go': [{ to: 'b', text: '1' }],
      'b:1': [
        { to: 'a', text: 'late' },
        { to: 'a', text: 'stop', overrides: true },
      ],
    });
    delivery.add({ to: 'a', text: 'go' });
    delivery.run(100);
    expect(log).toEqual(['a:go', 'b:1', 'a never heard late', 'a:stop']);
  });

  it('pauses after its budget and goes on where it was', () => {
    const { delivery, log } = post({ 'a:x': [{ to: 'b', text: 'x' }], 'b:x': [{ to: 'a', text: 'x' }] });
    delivery.add({ to: 'a', text: 'x' });
    expect(delivery.run(3)).toBe(false);
    expect(delivery.run(2)).toBe(false);
    expect(log).toEqual(['a:x', 'b:x', 'a:x', 'b:x', 'a:x']);
    expect(delivery.clear()).toHaveLength(1);
    expect(delivery.idle).toBe(true);
  });

  it('takes a chain of 200,000 without the stack', () => {
    let heard = 0;
    const boxes: Mailable<number>[] = [];
    const delivery = new Delivery<number>({
      receiverOf: (n) => {
        boxes[n] ??= { frame: undefined };
        return boxes[n];
      },
      supersedes: () => false,
      unheard: () => undefined,
      read: (n) => {
        heard += 1;
        if (n < 200_000) delivery.add(n + 1);
      },
    });
    delivery.add(0);
    expect(delivery.run(Number.POSITIVE_INFINITY)).toBe(true);
    expect(heard).toBe(200_001);
  });
});
