/**
 * The port of a worker process, whatever its worker says, does or dies of, and however its owner acts
 * meanwhile.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { SimulatedProcess } from '../../src/testing/simulated-process.ts';
import { childProcess } from '../../src/work/child-process.ts';
import { encodeFrame, WIRE_LIMITS } from '../../src/work/wire.ts';
import { WatchedWorker } from '../../test/work/watched-worker.ts';

type Act = (worker: WatchedWorker, child: SimulatedProcess, host: SimulatedHost) => void | Promise<void>;
interface Move {
  readonly name: string;
  readonly act: Act;
}

const ids = fc.nat({ max: 4 });
const move = (name: string, act: Act): Move => ({ name, act });
const says = (message: object): Move =>
  move(JSON.stringify(message), (_worker, child) => child.emitStdout(encodeFrame(message, WIRE_LIMITS)));

const READY = { kind: 'ready', protocol: 1, pid: 1, capabilities: [], handlers: ['count'] };

const ofWorker = fc.oneof(
  fc.constant(says(READY)),
  ids.map((id) => says({ kind: 'result', id, value: id })),
  ids.map((id) => says({ kind: 'error', id, type: 'T', message: 'm', traceback: '' })),
  ids.map((id) => says({ kind: 'cancelled', id })),
  ids.map((id) => says({ kind: 'pong', id })),
  fc.constant(says({ kind: 'log', level: 'info', text: 'noted' })),
  fc.constant(says({ kind: 'news' })),
  fc.constant(says({ kind: 'result' })),
  fc
    .uint8Array({ minLength: 1, maxLength: 9 })
    .map((bytes) => move(`bytes ${bytes}`, (_worker, child) => child.emitStdout(bytes))),
  fc.constant(move('half a frame', (_worker, child) => child.emitStdout(Uint8Array.of(0, 0, 0, 9, 0x7b)))),
  fc.constant(move('prints', (_worker, child) => child.emitStderr('printed'))),
  fc.constant(move('exits', (_worker, child) => child.exit(3))),
  fc.constant(move('dies', (_worker, child) => child.die())),
  fc.constant(move('stops reading', (_worker, child) => child.fillPipe())),
);

const ofOwner = fc.oneof(
  ids.map((id) =>
    move(`run ${id}`, (worker) => {
      try {
        worker.port.run({ id, name: 'count', args: 'x'.repeat(400), remainingMs: 10 });
        runs.push(id);
      } catch {
        // Refused: nothing will be told of it.
      }
    }),
  ),
  ids.map((id) => move(`cancel ${id}`, (worker) => worker.port.cancel(id, 'enough'))),
  ids.map((id) => move(`ping ${id}`, (worker) => worker.port.ping(id))),
  fc.constant(move('close', (worker) => worker.port.close())),
  fc.constant(move('kill', (worker) => worker.port.kill())),
  fc.constant(move('time passes', (_worker, _child, host) => host.advance(800))),
  fc.constant(move('settle', (_worker, _child, host) => host.settle())),
);

/** The ids of the jobs that the port accepted, in this run. */
let runs: number[] = [];

describe('the port of a worker process', () => {
  it('ends once and last, answers each job at most once, and calls nobody from within its methods', async () => {
    const moves = fc.array(fc.oneof(ofOwner, ofWorker), { maxLength: 25 });
    await fc.assert(
      fc.asyncProperty(moves, fc.array(fc.nat({ max: 5 }), { maxLength: 20 }), async (script, choices) => {
        runs = [];
        const host = new SimulatedHost({ choices });
        let child: SimulatedProcess | undefined;
        host.onSpawn = (_spec, listeners) => {
          child = new SimulatedProcess(host, listeners);
          return child;
        };
        const kind = childProcess({
          command: 'w',
          frameTimeoutMs: 1_000,
          maxFrameBytes: 1_024,
          maxBufferedBytes: 1_500,
        });
        const worker = new WatchedWorker(kind, host);
        if (child === undefined) throw new Error('nothing was spawned');
        for (const { act } of [says(READY), move('settle', () => host.settle()), ...script]) {
          const before = worker.told.length;
          const done = act(worker, child, host);
          expect(worker.told).toHaveLength(before);
          await done;
        }
        await host.settle();
        worker.port.kill();
        await host.settle();
        const kinds = worker.told.map(([told]) => told);
        expect(kinds.filter((told) => told === 'ended')).toHaveLength(1);
        expect(kinds.at(-1)).toBe('ended');
        expect(kinds.filter((told) => told === 'ready').length).toBeLessThanOrEqual(1);
        expect(kinds.filter((told) => told === 'broke').length).toBeLessThanOrEqual(1);
        const broke = kinds.indexOf('broke');
        if (broke !== -1) {
          const after = kinds.slice(broke + 1).filter((told) => told !== 'stderr');
          expect(after).toEqual(['ended']);
        }
        for (const id of new Set(runs)) {
          const answers = worker.told.filter(
            ([told, of]) => (told === 'succeeded' || told === 'failed' || told === 'cancelled') && of === id,
          );
          expect(answers.length).toBeLessThanOrEqual(runs.filter((each) => each === id).length);
        }
        expect(host.pendingTimers()).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
