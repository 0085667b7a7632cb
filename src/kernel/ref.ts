/** A ref: the serialisable address of one incarnation. Data without methods; equal by its two fields. */

const BRAND = Symbol.for('troupe/ref');

/** Path and incarnation. A message to a ref whose incarnation has ended becomes a dead letter. */
export interface Ref {
  readonly path: string;
  /** Unique within the system: no two actors, at any place or time, share one. */
  readonly incarnation: number;
}

class ActorRef implements Ref {
  readonly path: string;
  readonly incarnation: number;
  constructor(path: string, incarnation: number) {
    this.path = path;
    this.incarnation = incarnation;
    Object.freeze(this);
  }
}
Object.defineProperty(ActorRef.prototype, BRAND, { value: true });

export const createRef = (path: string, incarnation: number): Ref => new ActorRef(path, incarnation);

/** Whether `value` is a ref made in this process. One that crossed a wire is revived with {@link toRef}. */
export const isRef = (value: unknown): value is Ref =>
  typeof value === 'object' && value !== null && (value as { [BRAND]?: unknown })[BRAND] === true;

/** Revives a ref from its JSON; `undefined` when it does not have the shape of one. */
export const toRef = (value: unknown): Ref | undefined => {
  if (isRef(value)) return value;
  if (typeof value !== 'object' || value === null) return undefined;
  const { path, incarnation } = value as { path?: unknown; incarnation?: unknown };
  return typeof path === 'string' && Number.isSafeInteger(incarnation)
    ? createRef(path, incarnation as number)
    : undefined;
};

/** `path@incarnation`, for people. */
export const showRef = (ref: Ref): string => `${ref.path}@${ref.incarnation}`;
