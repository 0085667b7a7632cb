/**
 * Whom a command of the command line looks at: the address, and the token that opens it.
 *
 * Invariant: a token is taken from `TROUPE_TOKEN`, from the fragment of the address, or asked for; it is in no message.
 */

export interface Target {
  /** Ends in a slash: the doors are below it. */
  readonly base: string;
  readonly token: string | undefined;
}

/** What a command line says where a token is needed and none is known. */
export const TOKEN_HELP =
  'a token is needed: give the address with its #token=…, or set TROUPE_TOKEN, or say --token to be asked for it';

/** Reads an address as the service printed it. In words what is wrong with it. */
export const readTarget = (
  given: string,
  environment: Readonly<Record<string, string | undefined>>,
  token?: string,
): Target | string => {
  let url: URL;
  try {
    url = new URL(/^[a-z]+:\/\//i.test(given) ? given : `http://${given}`);
  } catch {
    return `${given.replace(/#.*/, '')} is no address`;
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return 'an address begins with http:// or https://';
  const inFragment = new URLSearchParams(url.hash.slice(1)).get('token') ?? undefined;
  const path = url.pathname.endsWith('/') ? url.pathname : `${url.pathname}/`;
  return { base: `${url.origin}${path}`, token: token ?? inFragment ?? environment['TROUPE_TOKEN'] };
};
