/**
 * What the two threads of a session kernel share: cells of one small shared memory, by which the wire thread tells the main thread to
 * stop, grants chunks, and learns whether the main thread may be broken into.
 *
 * Invariant: while the main thread is inside the kernel's own code (`enter` … `leave`) the wire thread never terminates it, so that
 * no frame is cut and no list left half changed; user code is always outside. It knows no messages.
 */

/** Where in the shared memory what lies. */
export const CELL = {
  /** The right to write a frame: 1 while somebody does. */
  lock: 0,
  /** Chunks that the execution under way may still send. */
  credit: 1,
  /** {@link STOP}, read by every loop of user code. */
  stop: 2,
  /** 1 while the main thread is inside the kernel. */
  kernel: 3,
  /** 1 while the wire thread is about to terminate what the main thread runs. */
  firing: 4,
  /** Counts what the main thread took note of. */
  taken: 5,
  /** 1 from the moment an execution is taken until just before it is answered. */
  executing: 6,
  /** The input that is waited for, or 0. */
  input: 7,
  /** Counts reasons to wake for a main thread that waits inside the kernel. */
  wake: 8,
  names: 10,
  tasks: 11,
  executions: 12,
  hits: 13,
  misses: 14,
  cached: 15,
  dropped: 9,
  /** 1 once the session is open: then the wire thread reads. */
  open: 16,
  maxFrameBytes: 17,
  maxDepth: 18,
} as const;

/** How much is to be stopped. */
export const STOP = { none: 0, cancel: 1, interrupt: 2 } as const;

/** Requests to the service that may be open at once; each has a cell after the named ones. */
export const OPEN_REQUESTS = 1_024;
const FIRST_REQUEST = 19;
/** A waiter looks again after this time even if nobody woke it, ms. */
const LOOK_AGAIN_MS = 50;

export const sharedCells = (): Int32Array =>
  new Int32Array(new SharedArrayBuffer(4 * (FIRST_REQUEST + OPEN_REQUESTS)));

/** Captured before user code can change them. */
const { load, store, add, compareExchange, wait, notify } = Atomics;

export { add, load, store };

/** Takes the right to write frames. Held for one frame only. */
export const acquire = (cells: Int32Array): void => {
  while (compareExchange(cells, CELL.lock, 0, 1) !== 0) wait(cells, CELL.lock, 1, LOOK_AGAIN_MS);
};

export const release = (cells: Int32Array): void => {
  store(cells, CELL.lock, 0);
  notify(cells, CELL.lock, 1);
};

/** Hands the reading over to the wire thread. */
export const handOver = (cells: Int32Array, limits: { maxFrameBytes: number; maxDepth: number }): void => {
  store(cells, CELL.maxFrameBytes, limits.maxFrameBytes);
  store(cells, CELL.maxDepth, limits.maxDepth);
  store(cells, CELL.open, 1);
  notify(cells, CELL.open);
};

/** Wakes a main thread that waits inside the kernel. */
export const wake = (cells: Int32Array): void => {
  add(cells, CELL.wake, 1);
  notify(cells, CELL.wake);
};

/** Takes one chunk's worth of credit, if there is some. */
export const takeCredit = (cells: Int32Array): boolean => {
  const left = load(cells, CELL.credit);
  if (left <= 0) return false;
  // Only this thread takes; the other one only adds.
  add(cells, CELL.credit, -1);
  return true;
};

/** Notes a request as open. `false`: too many are. */
export const openRequest = (cells: Int32Array, request: number): boolean => {
  for (let i = FIRST_REQUEST; i < cells.length; i++)
    if (compareExchange(cells, i, 0, request) === 0) return true;
  return false;
};

/** Closes an open request; whoever closes it first is told `true`. */
export const claimRequest = (cells: Int32Array, request: number): boolean => {
  for (let i = FIRST_REQUEST; i < cells.length; i++)
    if (compareExchange(cells, i, request, 0) === request) return true;
  return false;
};

/** Claims the input that is waited for. */
export const claimInput = (cells: Int32Array, request: number): boolean =>
  request > 0 && compareExchange(cells, CELL.input, request, 0) === request;

/** The main thread's side of the rule about termination. */
export class Gate {
  readonly cells: Int32Array;
  #depth = 0;

  constructor(cells: Int32Array) {
    this.cells = cells;
  }

  /** Enters the kernel. Where a termination is under way it is awaited here, where it does no harm. */
  enter(): void {
    if (this.#depth > 0) {
      this.#depth += 1;
      return;
    }
    for (;;) {
      store(this.cells, CELL.kernel, 1);
      if (load(this.cells, CELL.firing) === 0) break;
      store(this.cells, CELL.kernel, 0);
      notify(this.cells, CELL.kernel);
      wait(this.cells, CELL.firing, 1, LOOK_AGAIN_MS);
    }
    this.#depth = 1;
  }

  leave(): void {
    this.#depth -= 1;
    if (this.#depth === 0) store(this.cells, CELL.kernel, 0);
  }

  /** Runs the kernel's code; may be nested. */
  inside<T>(act: () => T): T {
    this.enter();
    try {
      return act();
    } finally {
      this.leave();
    }
  }

  /** Runs user code from within the kernel. Where that is terminated the whole stack goes, and with it the depth. */
  outside<T>(act: () => T): T {
    const depth = this.#depth;
    this.#depth = 0;
    store(this.cells, CELL.kernel, 0);
    try {
      return act();
    } finally {
      this.#depth = 0;
      this.enter();
      this.#depth = depth;
    }
  }

  /** Waits inside the kernel until `fits`, asked anew at every wake. */
  waitUntil(fits: () => boolean): void {
    for (;;) {
      const seen = load(this.cells, CELL.wake);
      if (fits()) return;
      wait(this.cells, CELL.wake, seen, LOOK_AGAIN_MS);
    }
  }
}
