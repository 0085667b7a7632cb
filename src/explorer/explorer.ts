/**
 * The explorer: an actor that serves what there is to see of its system, and the same as a request listener for a server that is
 * there already.
 *
 * Invariants: without a viewer it costs nothing but an open port. Nothing but loopback is served without a token; commands are
 * never given without one. The token is in `url` alone: in no event, no log, no answer.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pid, versions } from 'node:process';
import type { Application } from '../application/application.ts';
import {
  either,
  fits,
  flag,
  fn,
  identifier,
  integer,
  listOf,
  ms,
  refuse,
  resolveOptions,
  text,
} from '../base/options.ts';
import type { ActorContext, Behaviour, Handle, Inspection, Logic, Place } from '../kernel/logic.ts';
import type { Ref } from '../kernel/ref.ts';
import { createSpec, type Spec } from '../kernel/spec.ts';
import type { System, SystemOfActors } from '../kernel/system.ts';
import { isLoopback } from './access.ts';
import { Commands } from './commands.ts';
import { Doors } from './doors.ts';
import { actorsOf, LiveSource } from './live-source.ts';
import type { CommandName } from './protocol.ts';
import { COMMAND_NAMES } from './read-command.ts';
import { createToken } from './token.ts';

/** Options that an explorer has wherever it is served. */
export interface ViewOptions {
  /**
   * What a request below `api/` must carry: `Authorization: Bearer <token>`. At least 16 characters. Default: none on loopback
   * while commands are off; otherwise a fresh one, which is in `url` behind the `#`.
   */
  readonly token?: string;
  /** Commands that viewers may give: all, none, or those named. Default `false`: what is shown can only be looked at. */
  readonly commands?: boolean | readonly CommandName[];
  /** Names by which it may be reached beside the loopback ones, with a port or without. Default: none. */
  readonly allowedHosts?: readonly string[];
  /** What may be seen of the context of a machine at a path. Default: all of it. Where it throws, nothing is shown. */
  readonly redact?: (context: unknown, path: string) => unknown;
  /** The shortest time between two frames of one view, ms. Default 250. */
  readonly refreshMs?: number;
}

/** Options of {@link explorer}. */
export interface ExplorerOptions extends ViewOptions {
  /** Default `'explorer'`. */
  readonly id?: string;
  /** 0 takes a free one. Default 0. */
  readonly port?: number;
  /** Where it listens. Default `'127.0.0.1'`. Any other than a loopback address needs a `token` of yours. */
  readonly host?: string;
}

/** What `app.get(spec)` gives for an explorer. */
export interface ExplorerHandle extends Handle {
  /** Where to point a browser, the token behind the `#` included: for a terminal, not for a log. `undefined` while it is down. */
  readonly url: string | undefined;
  /** The same without the token. */
  readonly address: string | undefined;
  /** Streams that are open. */
  readonly viewers: number;
}

/** Options of {@link createExplorerHandler}. */
export interface ExplorerHandlerOptions extends ViewOptions {
  /** The path under which it is mounted, without a slash at its end: `'/explorer'`. Default `''`. */
  readonly basePath?: string;
}

/** A request listener that serves an explorer: for `node:http`, Express, Fastify's `request.raw` and the like. */
export interface ExplorerHandler {
  (request: IncomingMessage, response: ServerResponse): void;
  /** The token, where one is asked for. */
  readonly token: string | undefined;
  readonly viewers: number;
  /** Ends all streams; requests are refused from then on. */
  close(): void;
}

export const EXPLORER_DEFAULTS = Object.freeze({
  id: 'explorer',
  port: 0,
  host: '127.0.0.1',
  commands: false as boolean | readonly CommandName[],
  allowedHosts: [] as readonly string[],
  refreshMs: 250,
});

const SHORTEST_TOKEN = 16;
const LONGEST_TOKEN = 512;

const VIEW_FIELDS = {
  token: fits<string>(
    `a string of ${SHORTEST_TOKEN} to ${LONGEST_TOKEN} visible characters`,
    (value) => typeof value === 'string' && /^[\x21-\x7e]{16,512}$/.test(value),
  ),
  commands: either(
    flag,
    listOf(
      fits<CommandName>(
        'the name of a command',
        (value) => COMMAND_NAMES.includes(value as CommandName),
        'names of commands',
      ),
    ),
  ),
  allowedHosts: listOf(text),
  redact: fn<(context: unknown, path: string) => unknown>(),
  refreshMs: ms(50),
};
const EXPLORER_FIELDS = { ...VIEW_FIELDS, id: identifier, port: integer(0, 65_535), host: text };
const HANDLER_FIELDS = {
  ...VIEW_FIELDS,
  basePath: fits<string>(
    'a path that begins with a slash and does not end with one',
    (value) => value === '' || (typeof value === 'string' && /^(\/[^/?#\s]+)+$/.test(value)),
  ),
};

interface ResolvedView {
  readonly token: string | undefined;
  readonly enabled: readonly CommandName[];
  readonly allowedHosts: readonly string[];
  readonly redact: (context: unknown, path: string) => unknown;
  readonly refreshMs: number;
}

const viewOf = (options: {
  readonly token?: string | undefined;
  readonly commands: boolean | readonly CommandName[];
  readonly allowedHosts: readonly string[];
  readonly redact?: ((context: unknown, path: string) => unknown) | undefined;
  readonly refreshMs: number;
}): ResolvedView => {
  const { token, commands, allowedHosts, redact = (context: unknown) => context, refreshMs } = options;
  const enabled = commands === true ? COMMAND_NAMES : commands === false ? [] : commands;
  return {
    token: token ?? (enabled.length > 0 ? createToken() : undefined),
    enabled,
    allowedHosts: allowedHosts.map((name) => name.toLowerCase()),
    redact,
    refreshMs,
  };
};

interface Placed {
  readonly system: SystemOfActors;
  readonly name: string;
  readonly path: string;
  readonly basePath: string;
  readonly allowedHosts: readonly string[];
  readonly application: () => Application | undefined;
}

/** What is served: the doors, and what they stand on. */
class Served {
  readonly doors: Doors;
  readonly #commands: Commands;

  constructor(view: ResolvedView, placed: Placed) {
    const { system, name, path, application } = placed;
    const source = new LiveSource({
      system,
      name,
      pid,
      node: versions.node,
      application,
      redact: view.redact,
    });
    const { enabled } = view;
    this.#commands = new Commands({ system, events: system.events, watch: source.watch, path, enabled });
    this.doors = new Doors({
      host: system.host,
      events: system.events,
      path,
      source,
      rules: { token: view.token, allowedHosts: [...view.allowedHosts, ...placed.allowedHosts] },
      commands: enabled.length === 0 ? undefined : this.#commands,
      enabled,
      basePath: placed.basePath,
      refreshMs: view.refreshMs,
    });
  }

  close(why: string): void {
    this.doors.close(why);
    this.#commands.close();
  }
}

/** What an explorer's place keeps: its token outlives restarts, so that an open page goes on. */
interface Standing {
  readonly view: ResolvedView;
  address: string | undefined;
  served: Served | undefined;
}

const listen = (server: Server, port: number, host: string): Promise<AddressInfo> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve(server.address() as AddressInfo);
    });
  });

class ExplorerActor implements Behaviour {
  readonly #standing: Standing;
  readonly #server: Server;
  readonly #served: Served;

  constructor(standing: Standing, server: Server, served: Served) {
    this.#standing = standing;
    this.#server = server;
    this.#served = served;
  }

  tell(): void {}

  inspect(): Inspection {
    const { viewers } = this.#served.doors;
    return { state: viewers === 0 ? 'unwatched' : 'watched', facts: { viewers } };
  }

  reap(): void {
    this.#standing.address = undefined;
    this.#standing.served = undefined;
    this.#served.close('the explorer stops');
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

class HandleOfExplorer implements ExplorerHandle {
  readonly #place: Place;

  constructor(place: Place) {
    this.#place = place;
  }

  get #standing(): Standing {
    return this.#place.shared as Standing;
  }

  get path(): string {
    return this.#place.path;
  }

  ref(): Ref | undefined {
    return this.#place.ref();
  }

  get address(): string | undefined {
    return this.#standing.address;
  }

  get url(): string | undefined {
    const { address, view } = this.#standing;
    return address === undefined || view.token === undefined ? address : `${address}#token=${view.token}`;
  }

  get viewers(): number {
    return this.#standing.served?.doors.viewers ?? 0;
  }
}

const urlOf = ({ address, port, family }: AddressInfo): string =>
  `http://${family === 'IPv6' ? `[${address}]` : address}:${port}/`;

/**
 * The explorer as a child of a supervisor: one line turns it on. Place it first, so that it ends last and shows how the others do.
 *
 * @example
 * supervisor('shop', { children: [explorer({ port: 4100 }), …] });
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const explorer = (options: ExplorerOptions = {}): Spec<ExplorerHandle> => {
  const resolved = resolveOptions('explorer', options, EXPLORER_FIELDS, EXPLORER_DEFAULTS);
  const { id, port, host } = resolved;
  if (!isLoopback(host) && resolved.token === undefined)
    refuse('explorer', 'token', `a token of yours, since ${host} can be reached by others`, undefined);
  const logic: Logic<ExplorerHandle> = {
    kind: 'explorer',
    share: (): Standing => ({ view: viewOf(resolved), address: undefined, served: undefined }),
    start: async (context: ActorContext) => {
      const standing = context.place.shared as Standing;
      const { system, path } = context;
      const name = path.split('/')[0] ?? path;
      const placed = { system, name, path, basePath: '', application: () => undefined };
      const served = new Served(standing.view, {
        ...placed,
        allowedHosts: isLoopback(host) ? [] : [host.toLowerCase()],
      });
      const server = createServer(served.doors.handle);
      const bound = await listen(server, port, host);
      server.unref();
      standing.address = urlOf(bound);
      standing.served = served;
      const commands = standing.view.enabled.length > 0;
      system.events.emit('explorer.listening', { path, address: standing.address, commands });
      return new ExplorerActor(standing, server, served);
    },
    handle: (place) => new HandleOfExplorer(place),
  };
  return createSpec(id, logic, { description: 'shows this system to a browser' });
};

const isApplication = (value: Application | System): value is Application =>
  typeof (value as Partial<Application>).health === 'function';

/**
 * The explorer of an application or a system as a request listener, to be mounted in a server that is there already, under
 * `basePath`. It checks hosts, origins and the token itself. Nobody can tell what its server is bound to, so there is always a
 * token: yours, or a fresh one, which `handler.token` tells.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const createExplorerHandler = (
  of: Application | System,
  options: ExplorerHandlerOptions = {},
): ExplorerHandler => {
  const { commands, allowedHosts, refreshMs } = EXPLORER_DEFAULTS;
  const resolved = resolveOptions('createExplorerHandler', options, HANDLER_FIELDS, {
    commands,
    allowedHosts,
    refreshMs,
    basePath: '',
  });
  const view = viewOf({ ...resolved, token: resolved.token ?? createToken() });
  const system = actorsOf(isApplication(of) ? of.system : of);
  const application = isApplication(of) ? of : undefined;
  const served = new Served(view, {
    system,
    name: application?.name ?? 'system',
    path: 'explorer',
    basePath: resolved.basePath,
    allowedHosts: [],
    application: () => application,
  });
  const unlisten = system.events.on('app.stopped', () => close());
  const close = (): void => {
    unlisten();
    served.close('the application has stopped');
  };
  return Object.defineProperties(served.doors.handle.bind(undefined), {
    token: { value: view.token },
    viewers: { get: () => served.doors.viewers },
    close: { value: close },
  }) as unknown as ExplorerHandler;
};
