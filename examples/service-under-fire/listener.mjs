/**
 * One who listens to the service's events from outside, as a browser's EventSource does: comes back when it is cut off, with the id of
 * the last event it had. It checks that no document's versions repeat, go back or leave one out.
 */
import { get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

const COME_BACK_MS = 100;

export const startListener = ({ address }) => {
  const heard = { documents: 0, missed: 0, connections: 0 };
  /** What must not have been. @type {string[]} */
  const violations = [];
  /** Document → its version when it was last heard of. */
  const versions = new Map();
  let running = true;
  let lastId;
  let call;

  const hear = ({ event, data, id }) => {
    if (id !== undefined) lastId = id;
    if (event === 'gap') {
      heard.missed += data.missed ?? 0;
      // What was missed may have been versions of any document.
      versions.clear();
    }
    if (event !== 'document') return;
    heard.documents += 1;
    const before = versions.get(data.id);
    versions.set(data.id, data.version);
    if (before !== undefined && data.version !== before + 1)
      violations.push(`version ${data.version} of document ${data.id} was told after version ${before}`);
  };

  const listen = () =>
    new Promise((resolve) => {
      const headers = lastId === undefined ? {} : { 'last-event-id': lastId };
      call = get({ ...address, path: '/events', headers, agent: false }, (response) => {
        if (response.statusCode === 200) heard.connections += 1;
        let rest = '';
        response.setEncoding('utf8').on('data', (text) => {
          const blocks = (rest + text).split('\n\n');
          rest = blocks.pop();
          for (const block of blocks) hear(parse(block));
        });
        response.on('close', resolve);
      });
      call.on('error', resolve);
    });

  const listening = (async () => {
    while (running) {
      await listen();
      if (running) await delay(COME_BACK_MS);
    }
  })();

  return {
    heard,
    violations,
    stop: async () => {
      running = false;
      call?.destroy();
      await listening;
    },
  };
};

/** One event: its lines by their names. */
const parse = (block) => {
  const fields = {};
  for (const line of block.split('\n')) {
    const [, name, value] = /^(\w+): (.*)$/.exec(line) ?? [];
    if (name !== undefined) fields[name] = name === 'data' ? JSON.parse(value) : value;
  }
  return fields;
};
