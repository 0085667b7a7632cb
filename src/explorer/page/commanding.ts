/**
 * Giving commands: who may, what came of the last ones, and what was sent before.
 *
 * Invariant: a command names the incarnation that was looked at, so that it never hits its successor.
 */
import { computed, signal } from '@preact/signals';
import type { Command, CommandName } from '../protocol.ts';
import type { Connection } from './connection.ts';
import { hello } from './store.ts';

let line: Connection | undefined;

export const provideConnection = (connection: Connection): void => {
  line = connection;
};

/** Reads something beside the stream. */
export const ask = <T>(door: string, query: Readonly<Record<string, string>>): Promise<T> =>
  line === undefined ? Promise.reject(new Error('there is no connection')) : line.get<T>(door, query);

export const reconnect = (): void => line?.open();

export const enabledCommands = computed<ReadonlySet<CommandName>>(() => new Set(hello.value?.commands ?? []));

export interface Outcome {
  readonly n: number;
  readonly what: string;
  readonly good: boolean;
  readonly words: string;
}

/** What came of the last commands, newest first. */
export const outcomes = signal<readonly Outcome[]>([]);
const OUTCOMES_SHOWN = 4;
const SHOWN_MS = 6_000;
let last = 0;

const tell = (outcome: Omit<Outcome, 'n'>): void => {
  last += 1;
  const n = last;
  outcomes.value = [{ n, ...outcome }, ...outcomes.value].slice(0, OUTCOMES_SHOWN);
  setTimeout(() => {
    outcomes.value = outcomes.value.filter((one) => one.n !== n);
  }, SHOWN_MS);
};

export const give = async (command: Command): Promise<boolean> => {
  const what = `${command.do === 'send' ? `send ${command.event.type}` : command.do} → ${command.path}`;
  try {
    if (line === undefined) throw new Error('there is no connection');
    const { outcome, audit } = await line.command(command);
    tell({ what, good: true, words: `${outcome} (audit ${audit})` });
    return true;
  } catch (error) {
    tell({ what, good: false, words: error instanceof Error ? error.message : String(error) });
    return false;
  }
};

// ── events sent before ──────────────────────────────────────────────────────────────────────────────

const HISTORY_KEY = 'troupe.events';
const HISTORY_KEPT = 20;

const remembered = (): readonly string[] => {
  try {
    const known: unknown = JSON.parse(sessionStorage.getItem(HISTORY_KEY) ?? '[]');
    return Array.isArray(known) ? known.filter((one) => typeof one === 'string') : [];
  } catch {
    return [];
  }
};

/** The JSON of events sent from this tab, newest first. */
export const sentBefore = signal<readonly string[]>(remembered());

export const remember = (json: string): void => {
  sentBefore.value = [json, ...sentBefore.value.filter((one) => one !== json)].slice(0, HISTORY_KEPT);
  sessionStorage.setItem(HISTORY_KEY, JSON.stringify(sentBefore.value));
};
