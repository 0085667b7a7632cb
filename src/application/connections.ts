/**
 * A registry of connections as a resource: streams to clients that end before what serves them is closed.
 *
 * Invariant: from the beginning of the drain nobody new gets in; who is in has his share of what time is left.
 */
import { type Connections, type ConnectionsOptions, createConnections } from '../coordination/connections.ts';
import { type Resource, type ResourceOptions, resource } from './resource.ts';

/** Options of {@link connections}. */
export type ConnectionsResourceOptions = Omit<ConnectionsOptions, 'host' | 'events' | 'owner' | 'name'> &
  Pick<ResourceOptions<Connections>, 'dependsOn'>;

/**
 * Long-lived connections to clients, as a resource of the application. Give it to `httpServer({ connections })`, which ends them first; where
 * something else serves, let this depend on that.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const connections = (
  id: string,
  { dependsOn = [], ...options }: ConnectionsResourceOptions = {},
): Resource<Connections> =>
  resource<Connections>(id, {
    dependsOn,
    open: ({ app }) => {
      const { host, events } = app.system;
      return createConnections({ ...options, name: `${app.name}/${id}`, host, events });
    },
    drain: (open, { remainingMs }) => open.drain({ timeoutMs: remainingMs }),
    close: (open, { remainingMs }) => open.drain({ timeoutMs: remainingMs }),
  });
