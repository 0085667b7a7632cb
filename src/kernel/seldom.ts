/**
 * What few incarnations ever hold, in an object of its own that is made with the first of it: an actor that only waits for
 * mail takes 140 bytes less so.
 */
import { NO_DEADLINE } from '../base/deadline.ts';
import type { Timer } from '../base/host.ts';
import type { Cell } from './cell.ts';
import type { Call } from './mail.ts';
import type { ExitReason } from './reason.ts';
import type { Relations } from './relations.ts';

export class Seldom {
  trapExit = false;
  children: Set<Cell> | undefined = undefined;
  relations: Relations | undefined = undefined;
  timers: Set<Timer> | undefined = undefined;
  names: Set<string> | undefined = undefined;
  /** What others hold for it, each let go of when it ends. */
  holdings: Set<(reason: ExitReason) => void> | undefined = undefined;
  /** Why it stops: it asked for that itself. */
  stopReason: ExitReason | undefined = undefined;
  stopDeadline = NO_DEADLINE;
  /** A stop was asked for from outside: whoever did it decides what comes after. */
  toldToStop = false;
  /** It was told to end before its init had begun: that never does. */
  overtaken = false;
  suspended = false;
  /** A stop was asked for while a handler ran; it goes on when that settles. */
  pendingStop = false;
  deferred: Set<Call> | undefined = undefined;
  /** Set by an init that cleans up after itself when it is told to stop (a supervisor's): it then ends the start. */
  abortInit: (() => void) | undefined = undefined;
  /** That was told to stop: a second stop only shortens its time. */
  initAborted = false;
  /** Its init proceeds in turns of the kernel only (a supervisor's): it ends with the incarnation, straggling nowhere. */
  conducted = false;
  /** Ends it when the time for its init, or for its end, is over. */
  allowance: Timer | undefined = undefined;
  idle: Timer | undefined = undefined;
  controller: AbortController | undefined = undefined;
}
