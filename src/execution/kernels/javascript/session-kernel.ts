/**
 * The program of a session in JavaScript, started by the service as a worker: the same file for both of its threads. The main thread
 * runs the user's code, the other one speaks with the service.
 *
 * Invariant: nothing of the user's runs before the service has opened the session. It is no part of the library: it runs beside user
 * code, in an OS process of its own.
 */
import process from 'node:process';
import { isMainThread, MessageChannel, Worker, workerData } from 'node:worker_threads';
import { DESCRIPTORS_VARIABLE } from '../../../work/messages.ts';
import { FrameWriter } from './frame-writer.ts';
import { shakeHands } from './handshake.ts';
import { Session } from './session.ts';
import { Gate, handOver, sharedCells } from './shared-state.ts';
import { WireThread, type WireThreadOptions } from './wire-thread.ts';

const takeDescriptors = (): readonly [number, number] => {
  const match = /^(\d+),(\d+)$/.exec(process.env[DESCRIPTORS_VARIABLE] ?? '');
  // What this process starts must not take itself for a worker of our parent.
  delete process.env[DESCRIPTORS_VARIABLE];
  if (match !== null) return [Number(match[1]), Number(match[2])];
  throw new Error(`a session is started by the service, not by hand (${DESCRIPTORS_VARIABLE} is not set)`);
};

/**
 * Terminating code in the middle of a timer or an immediate leaves Node's account of asynchronous contexts unbalanced, which a check
 * in Node answers with the end of the process. The account is reset at the next turn of the event loop: the check is switched off.
 */
const tolerateTermination = (): void => {
  const { noDeprecation } = process;
  process.noDeprecation = true;
  try {
    const { binding } = process as unknown as { binding(name: string): AsyncWrap };
    const { async_hook_fields: fields, constants } = binding.call(process, 'async_wrap');
    fields[constants.kCheck] = 0;
  } catch {
    // A Node that does not show its account: then an interrupt may cost the session.
  } finally {
    if (noDeprecation === undefined) Reflect.deleteProperty(process, 'noDeprecation');
    else process.noDeprecation = noDeprecation;
  }
};

interface AsyncWrap {
  readonly async_hook_fields: Uint32Array;
  readonly constants: { readonly kCheck: number };
}

const startMain = (): void => {
  const [input, output] = takeDescriptors();
  const cells = sharedCells();
  const jobs = new MessageChannel();
  const bell = new MessageChannel();
  const options: WireThreadOptions = { cells, input, output, jobs: jobs.port2, bell: bell.port2 };
  const wire = new Worker(new URL(import.meta.url), {
    workerData: options,
    transferList: [jobs.port2, bell.port2],
    execArgv: [],
    stdin: false,
  });
  // Without its wire a session is deaf.
  wire.on('error', (error) => {
    process.stderr.write(`troupe session: ${String(error)}\n`);
    process.kill(process.pid, 'SIGKILL');
  });
  wire.unref();
  tolerateTermination();
  const writer = new FrameWriter(cells, output);
  const session = new Session({
    gate: new Gate(cells),
    writer,
    jobs: jobs.port1,
    bell: bell.port1,
    wire: [0, input, output],
  });
  shakeHands({ input, writer, take: (job) => session.takeFirst(job) });
  handOver(cells, writer.limits);
};

if (isMainThread) startMain();
else new WireThread(workerData as WireThreadOptions);
