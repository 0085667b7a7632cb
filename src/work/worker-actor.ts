/**
 * A worker as an actor, so that it is seen in the tree, started within a deadline and ended with its pool: a `temporary` child,
 * whose end is its pool's business alone.
 *
 * Invariant: when the actor has ended, on whatever path, its OS process is gone or has been sent SIGKILL; when the worker
 * has ended, so does the actor. It takes no messages: jobs go to the worker directly.
 */
import type { ActorContext, Behaviour, Handle, Logic } from '../kernel/logic.ts';
import type { PoolWorker } from './pool-worker.ts';

class WorkerActor implements Behaviour {
  readonly #context: ActorContext;
  readonly #worker: PoolWorker;
  #stopping: (() => void) | undefined;

  constructor(context: ActorContext, worker: PoolWorker) {
    this.#context = context;
    this.#worker = worker;
  }

  tell(): void {}

  /** Somebody's exit signal: trapped, so that even then the actor ends no sooner than its worker. */
  info(): void {
    this.#worker.dismiss('exit_signal');
  }

  shutdown(): Promise<void> | undefined {
    if (this.#worker.gone) return undefined;
    const gone = new Promise<void>((resolve) => {
      this.#stopping = resolve;
    });
    this.#worker.dismiss('shutdown');
    return gone;
  }

  reap(): void {
    this.#worker.condemn('actor_ended');
  }

  inspect() {
    const { states, pid, jobsDone } = this.#worker;
    const facts = { ...(pid === undefined ? {} : { pid }), jobs: jobsDone };
    return { state: `${states.state}, ${states.health}`, facts };
  }

  /** The worker has ended. */
  workerGone(): void {
    if (this.#stopping !== undefined) this.#stopping();
    else if (this.#isAlive)
      this.#context.stop(this.#worker.crashed ? { error: this.#worker.endError() } : 'shutdown');
  }

  get #isAlive(): boolean {
    const { place, self } = this.#context;
    return place.ref()?.incarnation === self.incarnation;
  }
}

/** Opens the worker and resolves when it takes jobs; rejects when it ends before. Whoever spawned it kills what comes too late. */
const startWorker = (context: ActorContext, worker: PoolWorker): Promise<Behaviour> =>
  new Promise((resolve, reject) => {
    const actor = new WorkerActor(context, worker);
    let starting = true;
    context.trapExit = true;
    worker.watcher = {
      started: () => {
        starting = false;
        resolve(actor);
      },
      gone: () => {
        if (starting) reject(worker.crashError());
        else actor.workerGone();
      },
    };
    worker.open();
  });

/** The logic of one worker's actor. */
export const workerLogic = (worker: PoolWorker): Logic => ({
  kind: 'worker',
  start: (context) => startWorker(context, worker),
  handle: (place): Handle => ({ path: place.path, ref: () => place.ref() }),
});
