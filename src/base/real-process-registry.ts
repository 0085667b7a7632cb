/**
 * Part of the real host: which processes a service has started, written down, so that the next start of the service can end what a
 * `kill -9` of the last one left behind.
 *
 * Invariant: nothing is ended but what this service's own records name: a process by its number *and* the instant at which it was
 * started, and whatever carries the record's secret in its environment (what such a process has started). What belongs to a service
 * that lives is left alone. It needs `/proc`; elsewhere nothing is written and nothing ended.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

/** The variable by which a process is known as started by a service, and so is what it starts. */
export const SERVICE_VARIABLE = 'TROUPE_SERVICE';

/** One for this process: nobody can guess it, so nobody else carries it. */
const secret = randomBytes(16).toString('hex');
/** What was swept already: once for each start of the service is enough. */
const swept = new Set<string>();

interface ProcessRecord {
  readonly boot: string;
  readonly secret: string;
  readonly service: Identity;
  readonly process: Identity;
}

/** A number is used again; together with the start it is not. */
interface Identity {
  readonly pid: number;
  readonly startedAt: string;
}

/** What ties a process to its record. */
export interface Registration {
  readonly variables: Readonly<Record<string, string>>;
  /** Writes it down. */
  started(pid: number): void;
  /** It is gone, with all that it had started. */
  ended(): void;
}

const NOTHING: Registration = Object.freeze({ variables: {}, started: () => {}, ended: () => {} });

/** Ends what is left of services that are no more, once for a folder; returns the numbers of what was ended. */
export const sweep = (folder: string): readonly number[] => {
  if (swept.has(folder) || bootId() === undefined) return [];
  swept.add(folder);
  const found = recordsIn(folder).filter(({ record }) => !isAlive(record.service));
  const ended: number[] = [];
  for (const { file, record } of found) {
    if (record.boot === bootId() && isAlive(record.process)) ended.push(...end(record.process.pid));
    rmSync(file, { force: true });
  }
  const secrets = new Set(found.map(({ record }) => record.secret));
  if (secrets.size > 0) for (const pid of carriersOf(secrets)) ended.push(...end(pid));
  return [...new Set(ended)];
};

/** Readies the record of a process about to be started. */
export const register = (folder: string): Registration => {
  const boot = bootId();
  const startedAt = startOf(process.pid);
  if (boot === undefined || startedAt === undefined) return NOTHING;
  let file: string | undefined;
  return {
    variables: { [SERVICE_VARIABLE]: secret },
    started(pid) {
      const started = startOf(pid);
      if (started === undefined) return;
      file = join(folder, `${process.pid}-${pid}.json`);
      const service = { pid: process.pid, startedAt };
      const record: ProcessRecord = { boot, secret, service, process: { pid, startedAt: started } };
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      writeFileSync(file, JSON.stringify(record), { mode: 0o600 });
    },
    ended() {
      if (file !== undefined) rmSync(file, { force: true });
    },
  };
};

const recordsIn = (folder: string): readonly { readonly file: string; readonly record: ProcessRecord }[] => {
  const names = attempt(() => readdirSync(folder)) ?? [];
  return names.flatMap((name) => {
    if (!/^\d+-\d+\.json$/.test(name)) return [];
    const file = join(folder, name);
    const record = attempt(() => JSON.parse(readFileSync(file, 'utf8')) as ProcessRecord);
    // Half written when the service died: what it names cannot be known.
    return isRecord(record) ? [{ file, record }] : [];
  });
};

const isIdentity = (value: unknown): value is Identity => {
  const { pid, startedAt } = (value ?? {}) as Partial<Identity>;
  return Number.isSafeInteger(pid) && Number(pid) > 1 && typeof startedAt === 'string';
};

const isRecord = (value: unknown): value is ProcessRecord => {
  const { boot, secret: carried, service, process: started } = (value ?? {}) as Partial<ProcessRecord>;
  const isSecret = typeof carried === 'string' && /^[0-9a-f]{32}$/.test(carried);
  return typeof boot === 'string' && isSecret && isIdentity(service) && isIdentity(started);
};

const isAlive = ({ pid, startedAt }: Identity): boolean => startOf(pid) === startedAt;

/** Ends a process and the group it leads; its number, where it was there. */
const end = (pid: number): readonly number[] => {
  if (pid === process.pid) return [];
  const group = attempt(() => process.kill(-pid, 'SIGKILL'));
  const alone = attempt(() => process.kill(pid, 'SIGKILL'));
  return group === true || alone === true ? [pid] : [];
};

const carriersOf = (secrets: ReadonlySet<string>): readonly number[] =>
  (attempt(() => readdirSync('/proc')) ?? [])
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const environment = attempt(() => readFileSync(`/proc/${pid}/environ`, 'latin1')) ?? '';
      const carried = environment.split('\0').find((each) => each.startsWith(`${SERVICE_VARIABLE}=`));
      return carried !== undefined && secrets.has(carried.slice(SERVICE_VARIABLE.length + 1));
    });

/** When a process was started, in ticks since the boot (proc(5), field 22); `undefined`: it is not there, or a zombie. */
const startOf = (pid: number): string | undefined =>
  attempt(() => {
    const status = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name may itself hold brackets and spaces.
    const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  });

const bootId = (): string | undefined =>
  attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim());

const attempt = <T>(act: () => T): T | undefined => {
  try {
    return act();
  } catch {
    return undefined;
  }
};
