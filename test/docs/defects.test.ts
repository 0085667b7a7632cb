/**
 * What broke in the systems that troupe unites, each with the test that is named after it: a test that is renamed or removed is
 * missed here, with what would then be unguarded.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import * as troupe from '../../src/index.ts';
import * as resilience from '../../src/resilience/index.ts';
import * as testing from '../../src/testing/index.ts';

const TEST = fileURLToPath(new URL('..', import.meta.url));
const PROPERTIES = fileURLToPath(new URL('../../property-tests', import.meta.url));

/** What went wrong, then the file and the beginning of the name of its test. */
type Defect = readonly [what: string, file: string, name: string];

const BUS = 'coordination/defects-bus';
const STREAMS = 'coordination/defects-streams';
const SCOPE = 'coordination/defects-scope';
const AUDIT = 'coordination/leak-audit';
const CONTEXT = 'coordination/defects-context';
const LOCKS = 'coordination/defects-locks';
const HEALTH = 'coordination/health-monitor';
const CONNECTIONS = 'coordination/defects-connections';
const REAL = 'coordination/defects-connections-real';
const PROCESSES = 'work/defects-processes';
const BREAKER = 'resilience/defects-breaker';

const DEFECTS: Readonly<Record<string, readonly Defect[]>> = {
  'an event bus': [
    ['one hung handler stopped it for ever', BUS, 'one handler that hangs stops nobody else'],
    ['after its end a publish seemed to work', BUS, 'publishing after the close fails'],
    ['callable objects were never awaited', BUS, 'whatever can be awaited is awaited'],
    ['its queue had no bound', BUS, 'the queue is bounded'],
    ['a cancellation was logged as a success', BUS, 'a cancelled handler is not counted as a success'],
    ['it could be shut down twice', BUS, 'a second close, and one at the same time'],
    ['the clean-up of a service left others', BUS, 'clearing up after one service leaves'],
    ['what is no event was refused', BUS, 'what is no topic and no function is refused'],
    ['fifty handlers ran at once', BUS, 'fifty handlers at once'],
  ],
  'a stream': [
    ['what waited was cleared before it was sent', STREAMS, 'cleared pending messages'],
    ['its cancellation was absorbed', STREAMS, 'absorbed its cancellation'],
    ['failures to send were swallowed', STREAMS, 'swallowed failures to send'],
    ['it cleaned up in one heartbeat of ten', STREAMS, 'cleaned up in one heartbeat of ten'],
    ['a disconnect that failed was repeated', STREAMS, 'disconnected twice where that had failed'],
  ],
  'a registry of tasks': [
    ['a shutdown always said that all was well', SCOPE, 'a close that left somebody behind'],
    ['a deaf task hung it', SCOPE, 'a task that ignores its cancellation does not hold the close back'],
    ['an overrun was reported as a success', SCOPE, 'a slow clean-up that outlasts the deadline'],
    ['it opened again afterwards', SCOPE, 'it does not open again'],
    ['its phases did not wait for each other', SCOPE, 'kinds wait for each other'],
    ['a second shutdown said something else', SCOPE, 'the second close tells the same'],
    ['work was started twice', AUDIT, 'a task that was registered as well ran twice'],
    ['its clean-up cancelled what was owned', AUDIT, 'its clean-up cancelled every tracked task'],
    ['an audit only counted', AUDIT, 'names a timer that outlives the scope'],
    ['a failure became a null', AUDIT, 'a supervised task whose time passed gave null'],
  ],
  'a shutdown': [
    ['a step that failed stopped the later ones', SCOPE, 'a step of the close that throws'],
    ['connections were left to themselves', STREAMS, 'left connections to their own devices'],
    ['its report said that all was well', STREAMS, 'said that all was well'],
    ['a broker that was away cost events', BUS, 'a broker that is away at the close'],
    ['the broker had to be there at the start', BUS, 'a broker that is away at the start'],
  ],
  'operations side by side': [
    ['one wrote into the file of another', CONTEXT, 'A sets a file, B sets another'],
    ['one reset the timer of another', CONTEXT, 'A resets its timer'],
    ['one silenced another', CONTEXT, 'A is verbose'],
    ['a file was not detached', CONTEXT, 'a file that is closed is detached'],
    ['threads saw no context', CONTEXT, 'a task that an operation starts sees its context'],
    ['the last error was shared', CONTEXT, 'errors are not kept where another'],
    ['a reload of the module lost it', 'coordination/context', 'survives that its module is loaded again'],
    ['a closed output was an error', 'coordination/operation', 'that is closed is no error'],
    [
      'and all that with a hundred at once',
      '/coordination/context.prop',
      'see each its own file, timer, verbosity and key',
    ],
  ],
  'a manager of locks': [
    ['its watchdog locked it up', LOCKS, 'a watchdog that finds a dead holder locks nobody else out'],
    ['a watchdog held what it releases', LOCKS, 'a watchdog may itself claim and release'],
    ['a wrong owner could release', LOCKS, 'the release of a wrong owner frees nothing'],
    ['three paths released at once', LOCKS, 'three ways of stopping at once are one release'],
    ['a set-up that failed kept it', LOCKS, 'a set-up that fails after the lock was taken'],
    ['so did one that failed elsewhere', LOCKS, 'whatever throws between the asking and the work'],
    ['a sweep freed living owners', LOCKS, 'a sweep by age frees no living owner'],
    ['keys were never pruned', LOCKS, 'keys are pruned'],
    ['limits were as exact as the poll', LOCKS, 'the limits are exact'],
    ['a release that failed passed for done', LOCKS, 'it is never taken for done'],
    ['scripts wrote across each other', LOCKS, 'twelve scripts that write into one file'],
    ['a thousand cycles', 'coordination/locks-under-kills', 'under random kills of the actors'],
  ],
  'a health monitor': [
    ['a sample of the CPU blocked for a second', HEALTH, 'D3: a blocking sample'],
    ['it rebuilt the pool under its users', HEALTH, 'D3: the database check'],
    ['it restarted what was about to recover', HEALTH, 'D3: memory above its limit'],
  ],
  'exceptions of an executor': [
    ['a release that fails is a bug', LOCKS, 'it is never taken for done'],
    ['what could not be restored was used again', CONNECTIONS, 'one that is broken when it is given back'],
    ['a failure was dropped on its way', SCOPE, 'a task that times out or fails is not turned into nothing'],
    ['an error class hid the one built in', 'docs/defects', 'no name that is exported hides'],
  ],
  'a pool of connections': [
    ['it was not closed at the end', CONNECTIONS, 'all are closed, once, when the service stops'],
    ['nor in the middle of work', CONNECTIONS, 'all are closed when the service is stopped in the middle'],
    ['nor at a give-up', CONNECTIONS, 'all are closed, once, when whoever keeps the service'],
    ['nor while 60 users held some', CONNECTIONS, 'all are closed, once, though 60 users'],
    ['nor at TERM, INT, stop, give-up, error', REAL, '%s closes all, with a goodbye each, once'],
    [
      'nor what was still being opened',
      'work/in-process',
      'destroys a resource that came after it was killed',
    ],
    ['it leaked over a day', CONNECTIONS, 'a day of 60 users at a time leaks none'],
  ],
  'what must never come back': [
    ['guarded work ran in its coordinator', BREAKER, 'the guarded function ran inside the breaker'],
    ['a failure that is returned counted as none', BREAKER, 'a returned error was a success'],
    ['a killed probe kept its permit', BREAKER, '(successor) a killed probe leaked its slot'],
    [
      'classifying twice made it critical',
      'recovery/classification',
      'a classification is given back as it is',
    ],
    ['there were two tables', 'resilience/defects-retry', 'two tables disagree'],
    ['deaf work outlived its deadline', 'resilience/admission', 'a deadline rejects work that ignores it'],
    ['survivors were not reported', 'application/run', 'exits 3 with survivors at the deadline'],
    ['whoever asked could release', 'coordination/locks', 'is not freed under its new holder'],
    ['a watchdog held what it releases', LOCKS, 'a watchdog may itself claim and release'],
    ['nobody read stderr', PROCESSES, 'nobody read it, so that 83 jobs'],
    ['a worker outlived its parent', 'work/child-process', 'goes when its parent is killed'],
    ['missed heartbeats killed nobody', 'work/pool-workers', 'that misses three in a row is killed'],
    ['after a timeout it was called ready', 'work/pool-jobs', 'has its worker killed after the grace'],
    ['a bus took events after its end', BUS, 'publishing after the close fails'],
    [
      'context stopped at a worker',
      'work/worker-kinds.suite',
      "is told what its caller's context lets go along",
    ],
    [
      'parts were never supervised',
      'application/everything-supervised',
      'has each part in the tree, alive, under a supervisor, and reached',
    ],
  ],
};

const sources = new Map<string, string>();
const sourceOf = (file: string): string => {
  let source = sources.get(file);
  if (source === undefined) {
    const ending = file.endsWith('.prop') || file.endsWith('.suite') ? '' : '.test';
    const path = file.startsWith('/') ? `${PROPERTIES}${file}` : `${TEST}/${file}`;
    source = readFileSync(`${path}${ending}.ts`, 'utf8');
    sources.set(file, source);
  }
  return source;
};

/** A test of which the name begins so, and that is run. */
const hasTest = (source: string, name: string): boolean =>
  ["'", '"', '`'].some((quote) =>
    new RegExp(
      `\\bit(?:_|\\.each\\([^)]*\\))?\\(\\s*${quote}${name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}`,
    ).test(source),
  );

describe('every defect of the systems before has a test named after it', () => {
  it.each(Object.entries(DEFECTS))('%s', (_, defects) => {
    const missing = defects.filter(([, file, name]) => !hasTest(sourceOf(file), name));
    expect(missing).toEqual([]);
  });

  it('no name that is exported hides one of the language, or of Node', () => {
    const names = [troupe, resilience, testing].flatMap((exported) => Object.keys(exported));
    expect(names.length).toBeGreaterThan(100);
    expect(names.filter((name) => name in globalThis)).toEqual([]);
  });
});
