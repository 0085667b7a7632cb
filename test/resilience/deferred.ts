/** Work that ends when its test says so, and a few outcomes to hand to a breaker. */

export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

export const deferred = <T = unknown>(): Deferred<T> => {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
};

export const ok = async (): Promise<string> => 'ok';

export const down = async (): Promise<never> => {
  throw new Error('down');
};

/** Never settles, and ignores every signal. */
export const hang = (): Promise<never> => new Promise(() => {});

/** The code or message that a promise rejects with, or its value. */
export const outcomeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.catch((error: { code?: string; message?: string }) => error.code ?? error.message ?? error);
