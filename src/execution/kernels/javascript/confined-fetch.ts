/**
 * `fetch` to given hosts. Invariants: each address is looked at before it is asked, those of redirections too; only http and https;
 * a request ends within its time, with what is read of it.
 */
export interface FetchOptions {
  readonly fetch: typeof globalThis.fetch;
  /** `example.org`, `example.org:8080`, `*.example.org`, or `*`. */
  readonly hosts: readonly string[];
  readonly timeoutMs: number;
  readonly refuse: (detail: string) => Error;
}

/** As browsers have it. */
const MOST_REDIRECTIONS = 20;
/** Headers that are for the first host only. */
const PRIVATE_HEADERS = ['authorization', 'cookie', 'proxy-authorization'];

const fits = (host: string, { hostname, port, protocol }: URL): boolean => {
  const [, name = host, wantedPort] = /^(.*?)(?::(\d+))?$/.exec(host) ?? [];
  const isPort =
    wantedPort === undefined || wantedPort === (port === '' ? (protocol === 'https:' ? '443' : '80') : port);
  if (!isPort) return false;
  if (name === '*' || name.toLowerCase() === hostname) return true;
  return name.startsWith('*.') && hostname.endsWith(name.slice(1).toLowerCase());
};

export const confinedFetch =
  ({ fetch, hosts, timeoutMs, refuse }: FetchOptions) =>
  async (resource: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const timeout = AbortSignal.timeout(timeoutMs);
    let request = new Request(resource, init);
    const signal = AbortSignal.any([request.signal, timeout]);
    for (let left = MOST_REDIRECTIONS; ; left--) {
      const url = new URL(request.url);
      if (url.protocol !== 'http:' && url.protocol !== 'https:') throw refuse(`${url.protocol} is not http`);
      if (!hosts.some((host) => fits(host, url)))
        throw refuse(`${url.host} is not one of the session's hosts`);
      const repeated = request.body === null ? request : request.clone();
      const response = await fetch(request, { redirect: 'manual', signal });
      const location = response.headers.get('location');
      if (location === null || ![301, 302, 303, 307, 308].includes(response.status)) return response;
      if (init.redirect === 'manual') return response;
      if (init.redirect === 'error' || left === 0)
        throw new TypeError(`too many redirections of ${url.href}`);
      await response.body?.cancel();
      request = redirected(repeated, new URL(location, url), response.status);
    }
  };

const redirected = (request: Request, to: URL, status: number): Request => {
  const headers = new Headers(request.headers);
  if (to.origin !== new URL(request.url).origin) for (const name of PRIVATE_HEADERS) headers.delete(name);
  const becomesGet = status === 303 || (status <= 302 && request.method === 'POST');
  if (!becomesGet && request.body !== null)
    return new Request(to, {
      method: request.method,
      headers,
      body: request.body,
      duplex: 'half',
    } as RequestInit);
  for (const name of ['content-type', 'content-length']) headers.delete(name);
  return new Request(to, { method: becomesGet ? 'GET' : request.method, headers });
};
