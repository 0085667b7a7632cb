/**
 * An HTTP server as a resource: it listens when what it depends on has started, and ends without losing an answer.
 *
 * Invariant: from the moment it drains, every answer says `Connection: close`, so that no keep-alive client sends another
 * request down a connection that is about to end; connections close when their answers are out. Streams have no last answer: they
 * are ended first.
 */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Duplex } from 'node:stream';
import { fits, fn, integer, refuse, resolveOptions, text } from '../base/options.ts';
import type { Connections } from '../coordination/connections.ts';
import {
  type EndContext,
  isResource,
  type OpenContext,
  type Resource,
  type ResourceOptions,
  resource,
} from './resource.ts';

/** Options of {@link httpServer}. */
export interface HttpServerOptions extends Pick<ResourceOptions<Server>, 'dependsOn' | 'openTimeoutMs'> {
  /** Makes the request listener, once, when everything it depends on has started. */
  readonly handler: (context: OpenContext) => RequestListener;
  /** Makes the listener of requests to upgrade (WebSockets). Without it they are refused. */
  readonly upgrade?: (
    context: OpenContext,
  ) => (request: IncomingMessage, socket: Duplex, head: Uint8Array) => unknown;
  /** Long-lived connections to its clients: it depends on them, and when it drains they are ended first. */
  readonly connections?: Resource<Connections>;
  /** 0 takes a free one. Default 0. */
  readonly port?: number;
  /** Where it listens. Default `'127.0.0.1'`: say `'0.0.0.0'` to be reached from elsewhere. */
  readonly host?: string;
}

const FIELDS = {
  handler: fn<HttpServerOptions['handler']>(),
  upgrade: fn<NonNullable<HttpServerOptions['upgrade']>>(),
  connections: fits<Resource<Connections>>('a resource made by connections(…)', isResource),
  port: integer(0, 65_535),
  host: text,
  dependsOn: fits<NonNullable<HttpServerOptions['dependsOn']>>(
    'an array of resources and specs',
    Array.isArray,
  ),
  openTimeoutMs: fits<number>('milliseconds', (value) => typeof value === 'number'),
};

/** Answers under way, and whether new ones shall be the last of their connection. */
interface Traffic {
  draining: boolean;
  readonly connections: Connections | undefined;
  readonly answers: Set<ServerResponse>;
}

const traffics = new WeakMap<Server, Traffic>();

const listen = (server: Server, port: number, host: string): Promise<Server> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve(server);
    });
  });

const watch = (server: Server, listener: RequestListener, connections: Connections | undefined): void => {
  const traffic: Traffic = { draining: false, connections, answers: new Set() };
  traffics.set(server, traffic);
  server.on('request', (request, response) => {
    traffic.answers.add(response);
    response.once('close', () => traffic.answers.delete(response));
    if (traffic.draining) response.setHeader('connection', 'close');
    listener(request, response);
  });
};

/** Resolves when the last answer is out and its connection closed. */
const drain = async (server: Server, { remainingMs }: EndContext): Promise<void> => {
  const traffic = traffics.get(server);
  if (traffic !== undefined) {
    traffic.draining = true;
    for (const answer of traffic.answers) if (!answer.headersSent) answer.setHeader('connection', 'close');
  }
  await traffic?.connections?.drain({ timeoutMs: remainingMs });
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
};

/**
 * A resource that serves HTTP. While it drains it still answers what arrives on open connections, each time for the last time;
 * what is left at the deadline is cut.
 *
 * @example
 * const http = httpServer('http', { port: 8080, dependsOn: [tree], handler: ({ app }) => async (request, response) => { … } });
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const httpServer = (id: string, options: HttpServerOptions): Resource<Server> => {
  const where = `httpServer ${String(id)}`;
  const resolved = resolveOptions(where, options, FIELDS, {
    port: 0,
    host: '127.0.0.1',
    dependsOn: [],
  });
  const { handler, upgrade, connections, port, host, dependsOn, openTimeoutMs } = resolved;
  if (handler === undefined) return refuse(where, 'handler', FIELDS.handler.expected, undefined);
  return resource<Server>(id, {
    dependsOn: connections === undefined ? dependsOn : [...dependsOn, connections],
    ...(openTimeoutMs === undefined ? {} : { openTimeoutMs }),
    open: (context) => {
      const server = createServer();
      watch(server, handler(context), connections && context.app.resource(connections));
      if (upgrade !== undefined) server.on('upgrade', upgrade(context));
      return listen(server, port, host);
    },
    drain,
    close: (server) =>
      new Promise<void>((resolve) => {
        if (server.listening) server.close(() => resolve());
        else resolve();
        server.closeAllConnections();
      }),
  });
};
