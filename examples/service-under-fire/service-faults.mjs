/**
 * The faults of the upstream, of the load and of the service's own loop. Each strikes for real, tells when it has
 * struck, and returns once the recovery was seen from outside; what it throws says what was not.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { isThere } from './processes.mjs';
import { Unrecovered } from './scene.mjs';

/** How long a silent upstream is listened to, and how long any other may take. */
const SILENCE_MS = 200;
const PROBE_PATIENCE_MS = 3_000;
/** More than the pool and its queue take together. */
const BURST_DOCUMENTS = 100;
const BURST_TRIES = 3;
const BURST_LINGER_MS = 25;
const ACCEPTED_IN_A_ROW = 50;
const BLOCK_MS = 1_500;
/** An answer that took this long says that the loop was held. */
const BLOCK_SEEN_MS = 1_000;
/** After the loop is free again: the time in which an unfair heartbeat or deadline would take a worker. */
const AFTERMATH_MS = 400;
const PROMPT_MS = 250;

/** Makes the upstream sick until the breaker has opened, with fallbacks being served, then well until it has closed. */
const upstreamFault =
  ({ sicken, symptom, heal }) =>
  async (scene, struck) => {
    const { observer, upstream, client } = scene;
    const breaker = () => observer.status()?.breaker;
    const before = { opened: breaker()?.opened ?? 0, closed: breaker()?.closed ?? 0 };
    let fallbacks = 0;
    const stop = client.listen(({ kind, fallback }) => {
      if (kind === 'price' && fallback) fallbacks += 1;
    });
    try {
      await sicken(upstream);
      const shown = await upstream.probe(symptom === 'silent' ? SILENCE_MS : PROBE_PATIENCE_MS);
      if (shown !== symptom) throw new Unrecovered(`the upstream is not sick: ${shown}`);
      struck(`it is ${symptom === 500 ? 'answering 500' : symptom}`);
      await scene.require(() => breaker()?.opened > before.opened, 'the breaker did not open');
      await scene.require(() => fallbacks > 0, 'no fallback price was served');
    } finally {
      stop();
      await heal(upstream);
    }
    await scene.require(
      () => breaker()?.closed > before.closed && breaker()?.state === 'closed',
      'the breaker did not close again',
    );
    await scene.require(async () => {
      const { ok, fallback } = await client.askPrice('probe');
      return ok && !fallback;
    }, 'no price of the upstream was served again');
  };

const upstreamKilled = upstreamFault({
  sicken: (upstream) => upstream.kill(),
  symptom: 'unreachable',
  heal: (upstream) => upstream.start(),
});
const upstreamHanging = upstreamFault({
  sicken: (upstream) => upstream.become('hanging'),
  symptom: 'silent',
  heal: (upstream) => upstream.become('healthy'),
});
const upstream500 = upstreamFault({
  sicken: (upstream) => upstream.become('failing'),
  symptom: 500,
  heal: (upstream) => upstream.become('healthy'),
});

const burst = async (scene, struck) => {
  const options = { purpose: 'burst', lingerMs: BURST_LINGER_MS };
  const refusals = [];
  const volley = async () => {
    const { outcome, retryAfterMs } = await scene.send('linger', options).answer;
    if (outcome !== 'refused' || retryAfterMs === undefined) return;
    if (refusals.length === 0) struck(`${BURST_DOCUMENTS} documents at once`);
    refusals.push(retryAfterMs);
  };
  // On a machine that is busy they may not arrive at once: then they are no burst, and it tries again.
  for (let tries = BURST_TRIES; tries > 0 && refusals.length === 0; tries--)
    await Promise.all(Array.from({ length: BURST_DOCUMENTS }, volley));
  if (refusals.length === 0) throw new Unrecovered('nothing was refused with Retry-After');
  let inARow = 0;
  const stop = scene.client.listen(({ kind, outcome }) => {
    if (kind === 'document') inARow = outcome === 'refused' || outcome === 'lost' ? 0 : inARow + 1;
  });
  try {
    await scene.require(() => inARow >= ACCEPTED_IN_A_ROW, `${ACCEPTED_IN_A_ROW} in a row were not accepted`);
  } finally {
    stop();
  }
};

const loopBlocked = async (scene, struck) => {
  const { client, observer } = scene;
  const workers = (observer.status()?.workers ?? []).map(({ pid }) => scene.identify(pid));
  const block = client.ask('POST', `/faults/block?ms=${BLOCK_MS}`, BLOCK_MS * 4);
  // Behind the request that blocks, so that it is the loop which keeps this one waiting.
  await delay(20);
  const { latencyMs } = await client.ask('GET', '/health/live', BLOCK_MS * 4);
  const { status } = await block;
  if (status !== 200 || latencyMs < BLOCK_SEEN_MS) {
    throw new Unrecovered(
      `the loop was not held: status ${status}, answered after ${Math.round(latencyMs)} ms`,
    );
  }
  struck(`no answer for ${Math.round(latencyMs)} ms`);
  const freeAt = performance.now();
  await delay(AFTERMATH_MS);
  const died = workers.filter((worker) => !isThere(worker));
  if (died.length > 0) throw new Unrecovered(`${died.length} workers died of it`);
  await scene.require(async () => {
    const answer = await client.ask('GET', '/health/live', BLOCK_MS);
    return answer.status === 200 && answer.latencyMs < PROMPT_MS;
  }, 'the service did not answer promptly again');
  await scene.requireWhole(freeAt);
};

export const SERVICE_FAULTS = Object.freeze({
  upstream_killed: upstreamKilled,
  upstream_hanging: upstreamHanging,
  upstream_500: upstream500,
  burst,
  loop_blocked: loopBlocked,
});
