/** Optional peers: sought in the user's project first, then beside troupe; where there is none, an error says how to have it. */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { createError } from '../../base/errors.ts';

/** What wants it, where, and how it is had. */
export interface Wanted {
  readonly peer: string;
  readonly feature: string;
  /** The project it is sought in first: any file or folder of it, absolute. */
  readonly from: string;
}

const resolvedFrom = (peer: string, place: string | URL): string | undefined => {
  try {
    return createRequire(place).resolve(peer);
  } catch {
    return undefined;
  }
};

/** Loads an optional peer. @throws ERR_PEER_MISSING */
export const loadPeer = async ({
  peer,
  feature,
  from,
}: Wanted): Promise<Readonly<Record<string, unknown>>> => {
  const path = resolvedFrom(peer, pathToFileURL(from)) ?? resolvedFrom(peer, import.meta.url);
  if (path === undefined)
    throw createError('ERR_PEER_MISSING', { feature, peer, install: `npm install --save-dev ${peer}` });
  return (await import(pathToFileURL(path).href)) as Readonly<Record<string, unknown>>;
};
