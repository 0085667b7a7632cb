/**
 * Who may come in. One pure decision over the head of a request: the host it was sent to, the page it came from, its token, its
 * method and its kind of body.
 *
 * Invariants: nothing of a request's body is read, and no view is made, before this has said yes. The token is compared in
 * constant time and is in no answer. What fails first is told first: host, origin, token, method, content type.
 */
import type { Refusal } from './protocol.ts';
import { isSameToken } from './token.ts';

/** What a door asks of whoever comes. */
export interface Door {
  /** `page`: holds nothing secret. `read`: shows the system. `act`: changes what is shown, or the system itself. */
  readonly kind: 'page' | 'read' | 'act';
}

/** The rules of one explorer. */
export interface AccessRules {
  /** `undefined`: none is asked for. */
  readonly token: string | undefined;
  /** Hosts beside the loopback names, with their port, or without one for any. Lower case. */
  readonly allowedHosts: readonly string[];
}

/** What is looked at of a request. Names of headers in lower case. */
export interface RequestHead {
  readonly method: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

export interface Denial {
  readonly status: number;
  readonly code: Refusal['error']['code'];
  readonly message: string;
}

const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

const one = (value: string | readonly string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : undefined;

/** Without its port, where it has one. An IPv6 name keeps its brackets. */
const nameOf = (host: string): string => host.replace(/:\d{1,5}$/, '');

/** Whether a name is one that only reaches this machine. */
export const isLoopback = (host: string): boolean =>
  LOOPBACK.has(host.toLowerCase()) || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);

const isAllowedHost = (host: string, rules: AccessRules): boolean => {
  const whole = host.toLowerCase();
  const name = nameOf(whole);
  if (LOOPBACK.has(name)) return true;
  return rules.allowedHosts.includes(whole) || rules.allowedHosts.includes(name);
};

/** The host of an origin, as its Host header would have it; `undefined` for `null` and what is no web origin. */
const hostOfOrigin = (origin: string): string | undefined =>
  /^https?:\/\/([^/?#@\s]+)$/.exec(origin.toLowerCase())?.[1];

/** The longest Authorization that is looked at; longer ones are wrong. */
const LONGEST_AUTHORIZATION = 1_024;

/** Whether a request carries the token. */
export const carriesToken = ({ headers }: RequestHead, token: string): boolean => {
  const authorization = one(headers['authorization']);
  if (authorization === undefined || authorization.length > LONGEST_AUTHORIZATION) return false;
  const given = /^bearer (.+)$/i.exec(authorization)?.[1];
  return given !== undefined && isSameToken(given, token);
};

const isSameOrigin = (origin: string, host: string | undefined): boolean =>
  host !== undefined && hostOfOrigin(origin) === host.toLowerCase();

const originDenial = (door: Door, head: RequestHead, authorised: boolean): Denial | undefined => {
  const origin = one(head.headers['origin']);
  const site = one(head.headers['sec-fetch-site']);
  const deny = (message: string): Denial => ({ status: 403, code: 'origin', message });
  if (origin !== undefined)
    return isSameOrigin(origin, one(head.headers['host']))
      ? undefined
      : deny('requests of other pages are refused');
  if (door.kind === 'act') return deny('a request that changes something must say which page it comes from');
  // A browser sends no Origin with a page's own GET; it does say that it is the page's own.
  if (site === 'same-origin' || site === 'none') return undefined;
  if (site === undefined && authorised) return undefined;
  // Following a link to the page itself shows nothing; what it then asks for is asked again.
  if (door.kind === 'page') return undefined;
  return deny('without an Origin, Sec-Fetch-Site must be same-origin or none, or a token must be given');
};

const isJson = (head: RequestHead): boolean =>
  /^application\/json(\s*;.*)?$/i.test(one(head.headers['content-type']) ?? '');

/** Why a request is not let in; `undefined` where it is. */
export const denialOf = (door: Door, head: RequestHead, rules: AccessRules): Denial | undefined => {
  const host = one(head.headers['host']);
  if (host === undefined || !isAllowedHost(host, rules))
    return { status: 403, code: 'host', message: 'this host name is not allowed here; see allowedHosts' };
  const authorised = rules.token !== undefined && carriesToken(head, rules.token);
  const foreign = originDenial(door, head, authorised);
  if (foreign !== undefined) return foreign;
  if (rules.token !== undefined && !authorised && door.kind !== 'page')
    return { status: 401, code: 'unauthorised', message: 'a token is needed: Authorization: Bearer …' };
  const method = door.kind === 'act' ? 'POST' : 'GET';
  if (head.method !== method)
    return { status: 405, code: 'method', message: `only ${method} is answered here` };
  if (door.kind === 'act' && !isJson(head))
    return { status: 415, code: 'content_type', message: 'the body must be application/json' };
  return undefined;
};
