/**
 * The ordinary load: clients that send document after document, and some that ask prices, as long as the run lasts.
 * They behave as good clients do: one request at a time, a pause between two, and a longer one when told to retry.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { createRandom } from './random.mjs';

const DOCUMENT_CLIENTS = 8;
/** More than the failures that open the breaker: a hanging upstream is noticed by the first that hang. */
const PRICE_CLIENTS = 6;
/** What every ordinary document is given; far beyond what one takes, also when it has to be tried again. */
export const DEADLINE_MS = 8_000;
const PAUSE_MS = [10, 50];
const PRICE_PAUSE_MS = [30, 90];
/** After a refusal without advice. */
const REFUSED_PAUSE_MS = 100;
const SKUS = ['tent', 'lantern', 'rope', 'stove', 'kettle', 'map', 'compass', 'boots'];

export const startLoad = ({ client, corpus, seed }) => {
  let running = true;

  const documentClient = async (number) => {
    const random = createRandom(seed, `document client ${number}`);
    while (running) {
      const { bytes } = random.pick(corpus.documents);
      const answer = await client.sendDocument({ bytes, deadlineMs: DEADLINE_MS, purpose: 'work' });
      const pauseMs = answer.outcome === 'refused' ? (answer.retryAfterMs ?? REFUSED_PAUSE_MS) : 0;
      await delay(pauseMs + random.between(PAUSE_MS[0], PAUSE_MS[1]));
    }
  };

  const priceClient = async (number) => {
    const random = createRandom(seed, `price client ${number}`);
    while (running) {
      const { refused } = await client.askPrice(random.pick(SKUS));
      await delay((refused ? REFUSED_PAUSE_MS : 0) + random.between(PRICE_PAUSE_MS[0], PRICE_PAUSE_MS[1]));
    }
  };

  const numbers = (count) => Array.from({ length: count }, (_, index) => index + 1);
  const clients = [
    ...numbers(DOCUMENT_CLIENTS).map(documentClient),
    ...numbers(PRICE_CLIENTS).map(priceClient),
  ];
  return {
    /** No new requests; resolves when those under way have their answers. */
    stop: async () => {
      running = false;
      await Promise.all(clients);
    },
  };
};
