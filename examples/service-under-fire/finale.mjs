/**
 * The end of a run: SIGTERM to the service while the load goes on. What is in flight must be completed, what is new
 * must be refused, and the service must end by itself and in time.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { SHUTDOWN_LIMIT_MS } from './checker.mjs';
import { isThere, withEnvironment } from './processes.mjs';

/** Documents that are certainly in flight when the signal comes. */
const FAREWELL_DOCUMENTS = 4;
const FAREWELL_LINGER_MS = 600;
/** A process that was killed needs a moment to leave `/proc`. */
const GONE_LIMIT_MS = 1_000;

const placeFarewells = async (scene) => {
  const options = { purpose: 'farewell', lingerMs: FAREWELL_LINGER_MS };
  const placed = await Promise.allSettled(
    Array.from({ length: FAREWELL_DOCUMENTS }, () => scene.place('linger', options)),
  );
  return placed.map(({ value }) => value?.answer);
};

const kill = ({ pid }) => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself in between.
  }
};

/**
 * @param {{ scene: any, service: any, client: any, load: any, observer: any }} run
 * @param {{ withFarewells: boolean }} how without: the run is being broken off
 */
export const shutDown = async ({ scene, service, client, load, observer }, { withFarewells }) => {
  const farewells = withFarewells && service.running() ? await placeFarewells(scene) : [];
  observer.scan();
  let refused = 0;
  const signalledAt = performance.now();
  let succeededAfter = 0;
  const stopCounting = client.listen((fact) => {
    if (fact.outcome === 'succeeded') succeededAfter += 1;
    if (fact.sentAt >= signalledAt && (fact.outcome === 'refused' || fact.refused)) refused += 1;
  });
  service.signal('SIGTERM');
  const limit = new AbortController();
  const late = delay(SHUTDOWN_LIMIT_MS, undefined, { signal: limit.signal }).catch(() => undefined);
  const ended = await Promise.race([service.exited, late]);
  limit.abort();
  if (ended === undefined) service.signal('SIGKILL');
  const { code, signal, at } = ended ?? (await service.exited);
  await load.stop();
  const answers = await Promise.all(farewells);
  stopCounting();
  return {
    code,
    signal,
    ms: Math.max(0, at - signalledAt),
    refused,
    succeededAfter,
    inFlight: answers.length,
    inFlightSucceeded: answers.filter((answer) => answer?.outcome === 'succeeded').length,
    survivors: service.said.findLast((message) => message.stopped)?.survivors ?? [],
  };
};

/**
 * What is left of the service's processes after its end, by `/proc`: those that were seen below it, and any that has
 * the run's folder in its environment. What is left is killed, so that a failed run leaves nothing behind either.
 */
export const countOrphans = async ({ observer, folder }) => {
  const left = () => {
    const marked = withEnvironment('TROUPE_DEMO_FOLDER', folder.path).map((pid) => ({ pid }));
    const known = observer.left();
    return [...known, ...marked.filter(({ pid }) => !known.some((other) => other.pid === pid))];
  };
  const orphans = left();
  for (const orphan of orphans) kill(orphan);
  const latest = performance.now() + GONE_LIMIT_MS;
  while (orphans.some((orphan) => orphan.startTicks && isThere(orphan)) && performance.now() < latest)
    await delay(20);
  return orphans.length;
};
