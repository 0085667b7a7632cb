/** What many actors say to each other under any schedule: order by sender and receiver, once each, one handler at a time. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ActorContext } from '../../src/kernel/logic.ts';
import { createRig, part, type RawHandle, type Rig } from '../../test/kernel/rig.ts';

const ACTORS = 4;

interface Send {
  readonly to: number;
  /** Timers and pipes know nobody but oneself. */
  readonly as: 'mail' | 'call' | 'after' | 'pipe';
}

interface Letter {
  /** Who sent it, to whom, by which way: within one lane the order is that of sending. */
  readonly lane: string;
  readonly n: number;
  /** What its reader sends in turn. */
  readonly then: readonly Send[];
  /** Whether its reader awaits something meanwhile. */
  readonly pause: boolean;
}

const actor = fc.nat(ACTORS - 1);
const send: fc.Arbitrary<Send> = fc.record({
  to: actor,
  as: fc.constantFrom('mail', 'mail', 'mail', 'call', 'call', 'after', 'pipe'),
});
const letter = fc.record({
  from: actor,
  send,
  then: fc.array(send, { maxLength: 3 }),
  pause: fc.boolean(),
});

class World {
  readonly rig: Rig;
  readonly #handles: RawHandle[] = [];
  readonly #contexts: ActorContext[] = [];
  readonly #reading = new Set<number>();
  readonly #sent = new Map<string, number>();
  /** The letters read, in order, by lane. */
  readonly read = new Map<string, number[]>();
  sent = 0;
  refused = 0;

  constructor(choices: number[]) {
    this.rig = createRig({ choices });
  }

  async open(): Promise<void> {
    for (let id = 0; id < ACTORS; id++) {
      const spec = part(`a${id}`, (context) => {
        this.#contexts[id] = context;
        return { tell: (m) => this.#reads(id, m as Letter), call: (m) => this.#reads(id, m as Letter) };
      });
      this.#handles.push(await this.rig.start(spec));
    }
  }

  async #reads(id: number, letter: Letter): Promise<void> {
    expect(this.#reading.has(id)).toBe(false);
    this.#reading.add(id);
    this.read.set(letter.lane, [...(this.read.get(letter.lane) ?? []), letter.n]);
    if (letter.pause) await Promise.resolve();
    for (const send of letter.then) this.send(id, send, [], false);
    if (letter.pause) await Promise.resolve();
    this.#reading.delete(id);
  }

  send(from: number, { to, as }: Send, then: readonly Send[], pause: boolean): void {
    const [context, receiver] = [this.#contexts[from], this.#handles[to]];
    if (context === undefined || receiver === undefined) throw new Error('not open');
    // Tells and calls go the same way: they share their order.
    const lane = as === 'after' || as === 'pipe' ? `${from} ${as}` : `${from} to ${to}`;
    const n = this.#sent.get(lane) ?? 0;
    this.#sent.set(lane, n + 1);
    this.sent += 1;
    const letter: Letter = { lane, n, then, pause };
    if (as === 'mail') context.tell(receiver, letter);
    else if (as === 'after') context.after(0, letter);
    else if (as === 'pipe') context.pipe(Promise.resolve(), () => letter);
    else
      context.call(receiver, letter).catch((error: { code?: string }) => {
        expect(error.code).toBe('ERR_CALL_CYCLE');
        this.refused += 1;
      });
  }
}

describe('messages', () => {
  it('of one sender are read in the order of sending, once each, one at a time', async () => {
    const schedule = fc.array(fc.nat(255), { maxLength: 60 });
    const letters = fc.array(letter, { minLength: 1, maxLength: 25 });
    await fc.assert(
      fc.asyncProperty(schedule, letters, async (choices, letters) => {
        const world = new World(choices);
        await world.open();
        for (const { from, send, then, pause } of letters) world.send(from, send, then, pause);
        await world.rig.host.advance(10);
        const reads = [...world.read.values()];
        expect(reads.flat()).toHaveLength(world.sent - world.refused);
        for (const numbers of reads) expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
        await world.rig.host.runUntil(world.rig.system.shutdown());
        expect(world.rig.host.pendingTimers()).toEqual([]);
        expect(world.rig.ends('a0')).toEqual(['shutdown']);
      }),
      { numRuns: 200 },
    );
  });
});
