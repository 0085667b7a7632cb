/**
 * The steps of a static supervisor's procedures: starting one child, stopping one, stopping many in reverse, each fully gone
 * before the next is told.
 */
import type { Child } from './child.ts';
import type { StartedBy, Supervision } from './supervision.ts';
import type { Procedure } from './work.ts';

/** Starts one child; `false` when its init failed. */
export function* startOne(supervision: Supervision, child: Child, why: StartedBy): Procedure<boolean> {
  supervision.launch(child);
  const fate = yield child;
  return supervision.started(child, fate, why);
}

/** Stops one child; `again` when another incarnation of it is to follow. */
export function* stopOne(supervision: Supervision, child: Child, again = false): Procedure {
  if (child.exit !== undefined) {
    child.send({ type: 'terminate' });
    supervision.stopped(child, child.exit, again);
  } else if (child.cell === undefined) {
    child.send({ type: 'terminate' });
    child.place.markGone();
  } else {
    supervision.tellToStop(child);
    let fate = yield child;
    // An init that came through before the stop reached it is followed by its end.
    while (fate.kind === 'started') fate = yield child;
    supervision.stopped(child, 'reason' in fate ? fate.reason : 'normal', again);
  }
}

export function* stopInReverse(
  supervision: Supervision,
  children: readonly Child[],
  again = false,
): Procedure {
  for (const child of [...children].reverse()) {
    if (supervision.outOfTime) supervision.killAll(children);
    yield* stopOne(supervision, child, again && child.spec.restart !== 'temporary');
  }
}

/** Stops them all, then tells. */
export function* stopAll(
  supervision: Supervision,
  children: readonly Child[],
  stopped: () => void,
): Procedure {
  yield* stopInReverse(supervision, children);
  stopped();
}
