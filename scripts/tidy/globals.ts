/** The rule about doors: time, chance, ids and OS processes come through the host, so nothing else reaches for Node's. */
import ts from 'typescript';
import { isGlobalUse } from './scopes.ts';
import { isWithin, lineOf, type Rule, type Source, type Violation, visitAll } from './source.ts';

const TIME = 'use host.monotonic() to decide, host.wall() for people';
const LATER = 'use host.timer(), host.step() or host.yield()';
const CHANCE = 'use host.random and host.newId()';
const OUTSIDE = 'use host.spawn() or host.transport';
const PROCESS = 'import process by name from node:process, in application/, work/ or cli.ts only';

/** Global names, and members of globals, with what to use in their place. */
const BANNED_GLOBALS: Readonly<Record<string, string>> = {
  Date: TIME,
  performance: TIME,
  setTimeout: LATER,
  setInterval: LATER,
  setImmediate: LATER,
  clearTimeout: LATER,
  clearInterval: LATER,
  clearImmediate: LATER,
  queueMicrotask: LATER,
  'AbortSignal.timeout': LATER,
  'process.nextTick': LATER,
  'Math.random': CHANCE,
  crypto: CHANCE,
  process: PROCESS,
  globalThis: 'name the global itself, if it is one that is allowed',
  global: 'name the global itself, if it is one that is allowed',
  WeakRef: 'the garbage collector decides nothing here: give the thing an owner that lets go of it',
  FinalizationRegistry:
    'the garbage collector decides nothing here: give the thing an owner that lets go of it',
};

const BANNED_MODULES: Readonly<Record<string, string>> = {
  child_process: OUTSIDE,
  cluster: OUTSIDE,
  crypto: CHANCE,
  dgram: OUTSIDE,
  http: OUTSIDE,
  http2: OUTSIDE,
  https: OUTSIDE,
  net: OUTSIDE,
  perf_hooks: TIME,
  process: PROCESS,
  timers: LATER,
  'timers/promises': LATER,
  tls: OUTSIDE,
  worker_threads: OUTSIDE,
};

interface Allowance {
  readonly where: string;
  /** Names of globals and modules; `*` is all. */
  readonly names: readonly string[];
  readonly reason: string;
}

/** Every exception, with its reason. */
const ALLOWED: readonly Allowance[] = [
  { where: 'src/base/real-host.ts', names: ['*'], reason: 'it is the real host' },
  { where: 'src/base/real-process.ts', names: ['*'], reason: 'it is part of the real host' },
  { where: 'src/base/real-process-registry.ts', names: ['*'], reason: 'it is part of the real host' },
  { where: 'src/base/real-thread.ts', names: ['*'], reason: 'it is part of the real host' },
  { where: 'src/base/real-transport.ts', names: ['*'], reason: 'it is part of the real host' },
  { where: 'src/base/real-vitals.ts', names: ['node:process'], reason: 'it is part of the real host' },
  {
    where: 'src/base/ambient.ts',
    names: ['globalThis'],
    reason: 'all copies of the library in a process share one ambient value',
  },
  {
    where: 'src/testing/simulated-host.ts',
    names: ['globalThis'],
    reason: 'it takes the real setImmediate and nextTick once, to drain promise jobs between steps',
  },
  {
    where: 'src/testing/leak-guard.ts',
    names: ['*'],
    reason: 'it stands before the real clock, timers and chance while a simulation runs',
  },
  {
    where: 'src/testing/replay.ts',
    names: ['node:process'],
    reason: 'a variable of the environment names the run to have again',
  },
  {
    where: 'src/testing/leak-check.ts',
    names: ['node:process'],
    reason: 'listeners on the process are what it looks for',
  },
  {
    where: 'src/testing/failure-file.ts',
    names: ['node:process'],
    reason: 'a failure names the version of Node it was seen on',
  },
  {
    where: 'src/work/sdk',
    names: [
      'node:process',
      'node:net',
      'node:worker_threads',
      'setTimeout',
      'clearTimeout',
      'setInterval',
      'clearInterval',
    ],
    reason: 'it runs in the worker’s own OS process, where there is no host',
  },
  {
    where: 'src/execution/kernels/javascript',
    names: ['*'],
    reason: 'it runs beside user code in the session’s own OS process, where there is no host',
  },
  {
    where: 'src/work',
    names: ['node:process'],
    reason: 'it reads the platform, the path of node and the environment to hand on',
  },
  {
    where: 'src/application',
    names: ['node:process'],
    reason: 'signals, exit codes and stray errors are the OS process’s own',
  },
  { where: 'src/application/http-server.ts', names: ['node:http'], reason: 'serving HTTP is what it is for' },
  {
    where: 'src/explorer',
    names: ['node:http', 'node:net', 'node:process'],
    reason: 'it serves its page and its stream, and says whose process it shows',
  },
  {
    where: 'src/explorer/token.ts',
    names: ['node:crypto'],
    reason: 'a token must not come from a generator whose seed can be tried out',
  },
  { where: 'src/explorer/page', names: ['*'], reason: 'it runs in a browser, where there is no host' },
  { where: 'src/cli.ts', names: ['node:process'], reason: 'it is the command line' },
];

const isAllowed = (path: string, name: string): boolean =>
  ALLOWED.some(({ where, names }) => isWithin(path, where) && (names.includes('*') || names.includes(name)));

const violationsOf = (source: Source): Violation[] => {
  const { path, ast, imports } = source;
  const violations: Violation[] = [];
  const refuse = (name: string, line: number, fix: string) => {
    if (!isAllowed(path, name))
      violations.push({ file: path, line, rule: 'banned-globals', what: `uses ${name}`, fix });
  };
  for (const { specifier, line } of imports) {
    const fix = BANNED_MODULES[specifier.replace(/^node:/, '')];
    if (fix !== undefined) refuse(`node:${specifier.replace(/^node:/, '')}`, line, fix);
  }
  visitAll(ast, (node) => {
    if (!ts.isIdentifier(node)) return;
    const { parent } = node;
    const member =
      ts.isPropertyAccessExpression(parent) && parent.expression === node
        ? `${node.text}.${parent.name.text}`
        : node.text;
    const name = Object.hasOwn(BANNED_GLOBALS, member) ? member : node.text;
    const fix = Object.hasOwn(BANNED_GLOBALS, name) ? BANNED_GLOBALS[name] : undefined;
    if (fix !== undefined && isGlobalUse(node)) refuse(name, lineOf(ast, node), fix);
  });
  return violations;
};

export const bannedGlobals: Rule = ({ sources }) =>
  [...sources.values()]
    .filter(({ path }) => isWithin(path, 'src') || isWithin(path, 'actors'))
    .flatMap(violationsOf);
