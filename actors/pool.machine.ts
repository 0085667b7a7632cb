/**
 * The lifecycle of a pool: whether jobs are admitted, and what follows the loss of a worker. It is what runs: `src/work/` steps
 * it and acts on what its actions write, never on a state's name.
 *
 * Invariants: every entry of a state decides what an admission is answered; a crash loop stops all replacement but one probe
 * at a time; once draining or closed nothing is admitted again. Whether those who wait are served is a matter of its own: a pause
 * delays and refuses nobody, and a drain ends it, so that every drain ends. It counts nothing and reads no clock: events carry the
 * figures that its guards compare.
 */
import { setup } from 'xstate';

/** What a new job is answered: it may come in, or why it may not. */
export type AdmissionVerdict = 'admit' | 'refuse_crash_loop' | 'refuse_draining' | 'refuse_closed';

export type PoolEvent =
  | {
      readonly type: 'worker.started';
      /** Whether it was started to see whether workers live again. */
      readonly probe: boolean;
    }
  | {
      readonly type: 'worker.lost';
      readonly probe: boolean;
      /** Whether it ended otherwise than its pool had asked it to. */
      readonly crashed: boolean;
      /** Crashes in a row, this one included, with no job done between them. */
      readonly crashes: number;
      readonly limit: number;
      /** Jobs that still need a worker. */
      readonly waiting: number;
    }
  | { readonly type: 'job.succeeded' }
  | { readonly type: 'probe.due' }
  | { readonly type: 'drain.wanted' }
  | { readonly type: 'work.done' }
  | { readonly type: 'pause.wanted' }
  | { readonly type: 'resume.wanted' }
  | { readonly type: 'close.wanted' };

const noop = (): void => {};

export const poolMachine = setup({
  types: { events: {} as PoolEvent },
  actions: {
    /** What admissions are answered from now on. */
    decide: (_, _params: { admission: AdmissionVerdict }) => noop(),
    /** Whether those who wait are given workers. */
    serve: (_, _params: { serving: boolean }) => noop(),
    announcePaused: noop,
    announceResumed: noop,
    /** The place that was lost is filled again: at once first, later after a backoff. */
    replaceWorker: noop,
    /** Replacements that wait for their backoff are given up. */
    holdReplacements: noop,
    /** Sets the instant at which one worker is started to see whether it lives. */
    scheduleProbe: noop,
    /** Starts that one worker. */
    startProbe: noop,
    /** Waiting jobs are told; nobody will serve them before the probe has come back. */
    rejectWaiting: noop,
    announceDegraded: noop,
    announceRestored: noop,
    /** Every free place is filled. */
    fillPlaces: noop,
    /** There is no crash loop to wait out any more. */
    cancelProbe: noop,
    /** All workers are asked to end. */
    closeWorkers: noop,
  },
  guards: {
    isCrashLoop: ({ event }) => event.type === 'worker.lost' && event.crashed && event.crashes >= event.limit,
    isProbe: ({ event }) => (event.type === 'worker.lost' || event.type === 'worker.started') && event.probe,
    isNeeded: ({ event }) => event.type === 'worker.lost' && event.waiting > 0,
  },
}).createMachine({
  id: 'pool',
  description: 'A pool: whether jobs may come in, and whether what is lost is replaced.',
  type: 'parallel',
  meta: {
    events: {
      'worker.started': 'A worker takes jobs.',
      'worker.lost': 'A worker is gone and its place is free.',
      'job.succeeded': 'A job was done, on a worker that lives.',
      'probe.due': 'The wait of the crash loop is over.',
      'drain.wanted': 'What was admitted shall be finished, and nothing more.',
      'work.done': 'Nothing waits and nothing runs.',
      'pause.wanted': 'Those who wait shall wait on.',
      'resume.wanted': 'Those who wait shall be served again.',
      'close.wanted': 'Whatever still runs, this is the end.',
    },
  },
  states: {
    admission: {
      description: 'Whether jobs may come in, and what becomes of lost workers.',
      initial: 'starting',
      states: {
        starting: {
          description: 'No worker has been heard of yet; jobs may wait for the first.',
          entry: { type: 'decide', params: { admission: 'admit' } },
          on: {
            'worker.started': { target: 'ready' },
            'worker.lost': [{ guard: 'isCrashLoop', target: 'degraded' }, { actions: 'replaceWorker' }],
            'drain.wanted': { target: 'draining' },
            'close.wanted': { target: 'closed' },
          },
        },
        ready: {
          description: 'Jobs are admitted, and lost workers replaced.',
          entry: { type: 'decide', params: { admission: 'admit' } },
          on: {
            'worker.lost': [{ guard: 'isCrashLoop', target: 'degraded' }, { actions: 'replaceWorker' }],
            'drain.wanted': { target: 'draining' },
            'close.wanted': { target: 'closed' },
          },
        },
        degraded: {
          description: 'Workers crash in a loop: jobs are refused while one probe at a time is tried.',
          entry: [
            { type: 'decide', params: { admission: 'refuse_crash_loop' } },
            'holdReplacements',
            'scheduleProbe',
            'announceDegraded',
            'rejectWaiting',
          ],
          exit: 'cancelProbe',
          on: {
            'probe.due': { actions: 'startProbe' },
            'worker.lost': { guard: 'isProbe', actions: 'scheduleProbe' },
            'worker.started': {
              guard: 'isProbe',
              target: 'ready',
              actions: ['announceRestored', 'fillPlaces'],
            },
            'job.succeeded': { target: 'ready', actions: ['announceRestored', 'fillPlaces'] },
            'drain.wanted': { target: 'draining' },
            'close.wanted': { target: 'closed' },
          },
        },
        draining: {
          description: 'What was admitted is finished; nothing more comes in.',
          entry: { type: 'decide', params: { admission: 'refuse_draining' } },
          on: {
            'worker.lost': { guard: 'isNeeded', actions: 'replaceWorker' },
            'work.done': { target: 'closed' },
            'close.wanted': { target: 'closed' },
          },
        },
        closed: {
          description: 'Nothing is admitted, and the workers go.',
          type: 'final',
          entry: [{ type: 'decide', params: { admission: 'refuse_closed' } }, 'closeWorkers'],
        },
      },
    },
    service: {
      description: 'Whether those who wait are given workers.',
      initial: 'serving',
      states: {
        serving: {
          description: 'Whoever waits gets a worker as soon as one is free.',
          entry: { type: 'serve', params: { serving: true } },
          on: {
            'pause.wanted': { target: 'paused', actions: 'announcePaused' },
            'drain.wanted': { target: 'finishing' },
            'close.wanted': { target: 'over' },
          },
        },
        paused: {
          description: 'What runs goes on; whoever waits waits on.',
          entry: { type: 'serve', params: { serving: false } },
          on: {
            'resume.wanted': { target: 'serving', actions: 'announceResumed' },
            'drain.wanted': { target: 'finishing', actions: 'announceResumed' },
            'close.wanted': { target: 'over' },
          },
        },
        finishing: {
          description: 'What was let in is served; there are no pauses any more.',
          entry: { type: 'serve', params: { serving: true } },
          on: { 'work.done': { target: 'over' }, 'close.wanted': { target: 'over' } },
        },
        over: {
          description: 'Nobody waits any more.',
          type: 'final',
        },
      },
    },
  },
});
