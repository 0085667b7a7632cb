/** How long something has taken, for people: MM:SS.cc. It never goes back, and is never set anew: who wants another takes another. */
import type { Host } from '../base/host.ts';
import { realHost } from '../base/real-host.ts';

export interface ElapsedTimer {
  /** The instant of `host.monotonic()` at which it began. */
  readonly startedAtMs: number;
  elapsedMs(): number;
  /** `MM:SS.cc`; minutes go on beyond 99. */
  toString(): string;
}

const MS_PER_MINUTE = 60_000;

/** Minutes, seconds and hundredths. */
export const elapsedText = (elapsedMs: number): string => {
  const minutes = Math.floor(elapsedMs / MS_PER_MINUTE);
  const hundredths = Math.floor((elapsedMs % MS_PER_MINUTE) / 10);
  const text = String(hundredths).padStart(4, '0');
  return `${String(minutes).padStart(2, '0')}:${text.slice(0, 2)}.${text.slice(2)}`;
};

/** A timer that begins now. */
export const startElapsedTimer = (host: Host = realHost()): ElapsedTimer => {
  const startedAtMs = host.monotonic();
  const elapsedMs = (): number => host.monotonic() - startedAtMs;
  return Object.freeze({ startedAtMs, elapsedMs, toString: () => elapsedText(elapsedMs()) });
};
