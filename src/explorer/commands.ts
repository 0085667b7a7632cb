/**
 * The commands of an operator: checked, noted in the audit log, then carried out through what the runtime offers everyone.
 *
 * Invariants: nothing is carried out that was not noted first, with who asked; the outcome is noted too. A command aimed at an
 * incarnation that is gone reaches nobody. Payloads are in no note.
 */
import type { EventStream } from '../base/telemetry.ts';
import type { PlaceOfActor } from '../kernel/place.ts';
import type { SystemOfActors } from '../kernel/system.ts';
import type { BreakerHandle } from '../resilience/circuit-breaker-spec.ts';
import type { PoolHandle } from '../work/pool.ts';
import type { Denial } from './access.ts';
import type { MessageWatch } from './message-watch.ts';
import type { Command, CommandAnswer, CommandName, Fault } from './protocol.ts';
import { readCommand } from './read-command.ts';

/** How long a supervisor may take to do what it is asked, ms; then the answer says that it goes on. */
const PATIENCE_MS = 10_000;

/** Why a command was not carried out. */
export class Refused {
  readonly denial: Denial;

  constructor(status: number, code: Denial['code'], message: string) {
    this.denial = { status, code, message };
  }
}

interface CommandsGround {
  readonly system: SystemOfActors;
  readonly events: EventStream;
  readonly watch: MessageWatch;
  /** The explorer's own path, under which it is noted. */
  readonly path: string;
  readonly enabled: readonly CommandName[];
}

interface SupervisorLike {
  terminateChild(id: string): Promise<unknown>;
  restartChild(id: string): Promise<unknown>;
  recycleChild?(id: string): Promise<unknown>;
}

const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));

export class Commands {
  readonly #ground: CommandsGround;
  /** What undoes an isolation, by the path of its breaker. */
  readonly #isolations = new Map<string, () => void>();
  #audit = 0;

  constructor(ground: CommandsGround) {
    this.#ground = ground;
  }

  /** Carries out what a body asks for. Never rejects. */
  async perform(body: unknown, from: string): Promise<CommandAnswer | Refused> {
    const command = readCommand(body);
    if (typeof command === 'string') return new Refused(422, 'invalid', command);
    if (!this.#ground.enabled.includes(command.do))
      return new Refused(403, 'read_only', `${command.do} is not enabled here`);
    this.#audit += 1;
    const audit = this.#audit;
    const { path, events } = this.#ground;
    const noted = { path, audit, command: command.do, target: command.path };
    events.emit('explorer.commanded', { ...noted, from });
    const outcome = await this.#tryIt(command);
    const words = typeof outcome === 'string' ? outcome : `refused: ${outcome.denial.message}`;
    events.emit('explorer.command_ended', { ...noted, outcome: words });
    return typeof outcome === 'string' ? { audit, done: true, outcome } : outcome;
  }

  /** Lets go of whatever it holds: isolations and faults end with the explorer. */
  close(): void {
    for (const release of this.#isolations.values()) release();
    this.#isolations.clear();
    this.#ground.watch.clearFaults();
  }

  async #tryIt(command: Command): Promise<string | Refused> {
    const place = this.#ground.system.placeAt(command.path);
    if (place === undefined) return new Refused(404, 'unknown', `nothing stands at ${command.path}`);
    const { incarnation } = command;
    const living = place.cell?.ref.incarnation;
    if (incarnation !== undefined && incarnation !== living)
      return new Refused(
        409,
        'incarnation',
        `incarnation ${incarnation} is gone; ${living ?? 'none'} lives there`,
      );
    try {
      return await this.#carryOut(command, place);
    } catch (error) {
      return new Refused(409, 'state', String((error as Error | undefined)?.message ?? error));
    }
  }

  #carryOut(command: Command, place: PlaceOfActor): string | Refused | Promise<string | Refused> {
    switch (command.do) {
      case 'send':
        return place.tell(command.event) === 'sent' ? 'sent' : new Refused(409, 'state', 'it was dropped');
      case 'stop':
        return this.#stop(place);
      case 'kill':
        return this.#alive(place, () => {
          this.#ground.system.exit(place, 'kill');
          return 'killed';
        });
      case 'restart':
        return this.#restart(place);
      case 'pause':
        return this.#alive(place, () => {
          this.#ground.system.suspend(place);
          return 'paused';
        });
      case 'resume':
        return this.#alive(place, () => {
          this.#ground.system.resume(place);
          return 'resumed';
        });
      case 'isolate':
      case 'release':
      case 'reset':
        return this.#breaker(command.do, place);
      case 'drain':
        return this.#drain(place, command.timeoutMs);
      case 'fault':
        return this.#fault(place, command.fault);
      case 'clear_fault':
        return this.#ground.watch.clearFault(place.path) ? 'cleared' : 'there was none';
    }
  }

  #alive(place: PlaceOfActor, act: () => string): string | Refused {
    return place.cell === undefined ? new Refused(409, 'state', 'nobody lives there now') : act();
  }

  /** What is above it, if it is a supervisor that can be asked. */
  #supervisorOf(place: PlaceOfActor): SupervisorLike | undefined {
    const above = this.#ground.system.placeAt(parentOf(place.path))?.handle as
      | Partial<SupervisorLike>
      | undefined;
    return typeof above?.terminateChild === 'function' ? (above as SupervisorLike) : undefined;
  }

  async #stop(place: PlaceOfActor): Promise<string | Refused> {
    const { system } = this.#ground;
    const supervisor = this.#supervisorOf(place);
    if (supervisor !== undefined) return this.#patiently(supervisor.terminateChild(place.spec.id), 'stopped');
    if (place.cell === undefined) return 'already stopped';
    return this.#patiently(system.stop(place, { reason: 'shutdown' }), 'stopped');
  }

  async #restart(place: PlaceOfActor): Promise<string | Refused> {
    const supervisor = this.#supervisorOf(place);
    const { id } = place.spec;
    if (supervisor === undefined)
      return new Refused(409, 'state', 'no supervisor stands above it: nobody would start it again');
    if (place.cell === undefined) return this.#patiently(supervisor.restartChild(id), 'started');
    if (supervisor.recycleChild !== undefined)
      return this.#patiently(supervisor.recycleChild(id), 'restarted');
    const again = async () => {
      await supervisor.terminateChild(id);
      await supervisor.restartChild(id);
    };
    return this.#patiently(again(), 'restarted');
  }

  /** What takes longer than anyone waits goes on. */
  #patiently(work: Promise<unknown>, outcome: string): Promise<string> {
    const { host } = this.#ground.system;
    return new Promise((resolve, reject) => {
      const timer = host.timer(PATIENCE_MS, 'explorer command', () => resolve('under way'), { unref: true });
      work.then(
        (result) => {
          timer.cancel();
          resolve(result === 'already' || result === 'failed' ? `${outcome}: ${result}` : outcome);
        },
        (error: unknown) => {
          timer.cancel();
          reject(error);
        },
      );
    });
  }

  #breaker(what: 'isolate' | 'release' | 'reset', place: PlaceOfActor): string | Refused {
    const { path } = place;
    const handle = place.handle as Partial<BreakerHandle> | undefined;
    if (handle?.kind !== 'breaker') return new Refused(409, 'state', 'it is not a breaker');
    if (what === 'reset') {
      handle.reset?.();
      return 'reset';
    }
    const release = this.#isolations.get(path);
    if (what === 'release') {
      if (release === undefined) return new Refused(409, 'state', 'it was not isolated from here');
      this.#isolations.delete(path);
      release();
      return 'released';
    }
    if (release === undefined && handle.isolate !== undefined) this.#isolations.set(path, handle.isolate());
    return 'isolated';
  }

  #drain(place: PlaceOfActor, timeoutMs: number | undefined): Promise<string> | Refused {
    const handle = place.handle as Partial<PoolHandle> | undefined;
    if (place.spec.logic.kind !== 'pool' || handle?.drain === undefined)
      return new Refused(409, 'state', 'it is not a pool');
    return this.#patiently(handle.drain(timeoutMs === undefined ? {} : { timeoutMs }), 'drained');
  }

  #fault(place: PlaceOfActor, fault: Fault): string {
    this.#ground.watch.setFault(place.path, fault);
    return `set for ${fault.messages} messages`;
  }
}
