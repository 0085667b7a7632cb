/** What a caller's context is to a pool: something of which a part goes along with the job. Whoever makes contexts is above. */

/** A context as `coordination/` has it, or anything like it. */
export interface CarriedContext {
  /** What goes along, by name: JSON, where workers are other processes. `undefined`: nothing does. */
  carried(): Readonly<Record<string, unknown>> | undefined;
  /** An instant of `host.monotonic()` by which all work of it is to be over; `Infinity` is none. */
  readonly deadline: number;
}

/** What a job has that came without. */
export const NOTHING_CARRIED: Readonly<Record<string, unknown>> = Object.freeze({});

export const isCarried = (value: unknown): value is CarriedContext => {
  const { carried, deadline } = (value ?? {}) as Partial<CarriedContext>;
  return typeof carried === 'function' && typeof deadline === 'number' && !Number.isNaN(deadline);
};
