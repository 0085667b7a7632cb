/** The service's HTTP: the page, and a small interface in JSON. Who a user is, this example believes: put your own sign-in here. */
import { readFileSync } from 'node:fs';
import { isTroupeError } from 'troupe';
import { Refused } from './workbench.mjs';

const fileOf = (name) => readFileSync(new URL(name, import.meta.url));
const ASSETS = new Map([
  ['/', { body: fileOf('page.html'), type: 'text/html; charset=utf-8' }],
  ['/page.js', { body: fileOf('page.js'), type: 'text/javascript; charset=utf-8' }],
]);
const POLICY =
  "default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:; style-src 'unsafe-inline'";
const STATUS = { ERR_LOCK_TIMEOUT: 423, ERR_SESSION_BUSY: 409, ERR_MAX_CHILDREN: 503, ERR_STOPPING: 503 };
const LONGEST_BODY = 2 ** 20;

const send = (response, status, body) => {
  if (response.headersSent) return;
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
};

/** JSON only: a form of another site cannot send that. */
const bodyOf = async (request) => {
  if (request.headers['content-type'] !== 'application/json') throw new Refused(415, 'send application/json');
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > LONGEST_BODY) throw new Refused(413, 'that is too long');
  }
  try {
    return Object(JSON.parse(text));
  } catch {
    throw new Refused(400, 'that is no JSON');
  }
};

const textOf = (value, name) => {
  if (typeof value !== 'string') throw new Refused(400, `${name} must be a string`);
  return value;
};

export const createFront = ({ workbench, streams, health }) => {
  const watch = (user, request, response) => {
    const stream = streams.sse(request, response, { feed: user.feed });
    stream?.onEnd(workbench.watch(user));
  };

  /** By method and path: `:` stands for one part. */
  const ROUTES = [
    ['GET', 'files', async ({ user }) => ({ files: await workbench.list(user) })],
    ['GET', 'files/:', async ({ user, part }) => ({ code: await workbench.read(user, part) })],
    [
      'POST',
      'files/:/run',
      async ({ user, part, body }) => ({ run: await workbench.run(user, part, textOf(body.code, 'code')) }),
    ],
    [
      'POST',
      'runs/:/input',
      ({ user, part, body }) => ({
        taken: workbench.input(
          user,
          part,
          textOf(body.request, 'request'),
          body.text === null ? null : textOf(body.text, 'text'),
        ),
      }),
    ],
    ['POST', 'runs/:/stop', async ({ user, part }) => ({ stopped: await workbench.stop(user, part) })],
  ];

  const answer = async (request, response) => {
    const { pathname } = new URL(request.url, 'http://service');
    const asset = ASSETS.get(pathname);
    if (asset !== undefined && request.method === 'GET')
      return response
        .writeHead(200, { 'content-type': asset.type, 'content-security-policy': POLICY })
        .end(asset.body);
    if (pathname === '/health') return send(response, health().ready ? 200 : 503, health());
    const [, api, name, ...rest] = pathname.split('/').map(decodeURIComponent);
    if (api !== 'api' || name === undefined) throw new Refused(404, 'there is nothing here');
    if (request.headers['sec-fetch-site'] === 'cross-site') throw new Refused(403, 'not from another site');
    const user = await workbench.user(name);
    if (request.method === 'GET' && rest.join('/') === 'events') return watch(user, request, response);
    const [, part, last] = rest;
    const shape = [rest[0], ...(part === undefined ? [] : [':']), ...(last === undefined ? [] : [last])].join(
      '/',
    );
    const route = ROUTES.find(([method, path]) => method === request.method && path === shape);
    if (route === undefined) throw new Refused(404, 'there is nothing here');
    const body = request.method === 'POST' ? await bodyOf(request) : {};
    return send(response, 200, await route[2]({ user, part, body }));
  };

  return (request, response) => {
    answer(request, response).catch((error) => {
      const status = error.status ?? (error.code === 'ENOENT' ? 404 : (STATUS[error.code] ?? 500));
      const code = isTroupeError(error) ? error.code : undefined;
      send(response, status, {
        error: status === 500 && code === undefined ? 'it failed' : error.message,
        code,
      });
    });
  };
};
