/** The job `namespace`: lists, gives, merges, deletes and clears names. What a namespace is, is `namespace.ts`' business. */
import type { FrameWriter } from './frame-writer.ts';
import { namesIn, Refused } from './job-arguments.ts';
import type { Arguments } from './messages.ts';
import type { Namespace, Strategy } from './namespace.ts';
import type { Gate } from './shared-state.ts';
import { reprOf, typeOf } from './values.ts';

export interface NameJobOptions {
  readonly namespace: Namespace;
  readonly gate: Gate;
  readonly writer: FrameWriter;
}

const STRATEGIES: readonly unknown[] = ['overwrite', 'preserve', 'smart'] satisfies Strategy[];

export const doWithNames = (args: Arguments, options: NameJobOptions): unknown => {
  const { namespace, gate } = options;
  const { action, strategy = 'overwrite', values = {} } = args;
  const names = namesIn(args);
  switch (action) {
    case 'list':
      // Showing a value may run code of the user's.
      return gate.outside(() => namespace.list());
    case 'get':
      return valuesOf(names ?? namespace.names(), options);
    case 'merge':
      if (!STRATEGIES.includes(strategy))
        throw new Refused('InvalidArguments', `there is no strategy ${String(strategy)}`);
      return { changed: namespace.merge(values as Arguments, strategy as Strategy) };
    case 'delete':
      return { changed: namespace.delete(names ?? []) };
    case 'clear':
      return { changed: namespace.clear() };
    default:
      throw new Refused('InvalidArguments', `a namespace has no action ${String(action)}`);
  }
};

const valuesOf = (names: readonly string[], { namespace, gate, writer }: NameJobOptions): unknown => {
  const found: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const name of names) {
    if (!namespace.has(name)) continue;
    const value = namespace.get(name);
    const told = { repr: gate.outside(() => reprOf(value)), type: typeOf(value) };
    const fits = value !== undefined && writer.fits(value);
    found[name] = { value: fits ? value : null, serialisable: fits, ...told };
  }
  return found;
};
