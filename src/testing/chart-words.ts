/** How an exploration tells of snapshots, events and ways: each on one line. */
import type { AnyMachineSnapshot } from 'xstate';
import type { ChartEvent } from '../chart/chart.ts';
import { keyOfData } from './state-key.ts';

/** Context beyond this is cut. */
const CONTEXT_SHOWN = 200;

/** A chart's value on one line. */
const showValue = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value).replaceAll('"', '');

/** Data on one line. */
export const showData = (value: unknown): string => {
  try {
    return keyOfData('context', value);
  } catch {
    return '{…}';
  }
};

/** A snapshot on one line: its value, and its context where it has one. */
export const showSnapshot = ({ value, context }: AnyMachineSnapshot): string => {
  if (context === undefined || Object.keys(context as object).length === 0) return showValue(value);
  const text = showData(context);
  const shown = text.length > CONTEXT_SHOWN ? `${text.slice(0, CONTEXT_SHOWN)}…` : text;
  // A machine without states of its own has nothing but context to tell.
  return Object.keys(value as object).length === 0 ? shown : `${showValue(value)} ${shown}`;
};

const CHILD_EVENT = /^xstate\.(done|error)\.actor\./;

/** An event on one line. */
export const showEvent = (event: ChartEvent): string => {
  const { type, ...data } = event;
  if (CHILD_EVENT.test(type)) {
    const { output, error, actorId } = data as { output?: unknown; error?: unknown; actorId?: unknown };
    return 'output' in data ? `${actorId} done ${showData(output)}` : `${actorId} fails ${showData(error)}`;
  }
  return Object.keys(data).length === 0 ? type : `${type} ${showData(data)}`;
};

/** Events as people read a way. */
export const showPath = (path: readonly ChartEvent[]): string =>
  path.length === 0 ? 'at the start' : `after ${path.map(showEvent).join(', ')}`;
