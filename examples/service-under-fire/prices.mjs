/**
 * Prices, asked from the upstream through a breaker. While the upstream fails, the answer is a fallback that says so:
 * the last price known, or none.
 */
import { Agent, get } from 'node:http';

/** More than any answer takes on a busy machine, and little enough that a hanging upstream is noticed soon. */
const ASK_TIMEOUT_MS = 500;

const ask = (url, agent, signal) =>
  new Promise((resolve, reject) => {
    const call = get(url, { agent, signal }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode } = response;
        if (statusCode === 200) resolve(JSON.parse(Buffer.concat(chunks).toString()));
        else reject(new Error(`the upstream answered ${statusCode}`));
      });
    });
    call.on('error', reject);
  });

/**
 * @param {{ upstreamUrl: string, breaker: import('troupe').CircuitBreaker }} options
 */
export const createPrices = ({ upstreamUrl, breaker }) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  const lastKnown = new Map();
  return {
    /** Never rejects: a price, or a fallback marked as one. */
    priceOf: async (sku) => {
      try {
        const work = ({ signal }) => ask(`${upstreamUrl}/prices/${sku}`, agent, signal);
        const { cents } = await breaker.execute(work, { timeoutMs: ASK_TIMEOUT_MS });
        lastKnown.set(sku, cents);
        return { sku, cents, fallback: false };
      } catch {
        return { sku, cents: lastKnown.get(sku) ?? null, fallback: true };
      }
    },
    close: () => agent.destroy(),
  };
};
