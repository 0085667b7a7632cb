/**
 * Everything about the actor at one place, put together for whoever has selected it.
 *
 * Invariant: reading changes nothing. Payloads of waiting mail are not shown, only their names.
 */
import { nameOf, RUN } from '../kernel/mail.ts';
import type { PlaceOfActor } from '../kernel/place.ts';
import type { Spec } from '../kernel/spec.ts';
import type { ActorDetail, ChartStanding, MailboxDetail } from './actor-view.ts';
import type { LiveSource } from './live-source.ts';
import { keyOf, rowOf, type Standing } from './tree-window.ts';
import {
  breakerView,
  type Ground,
  ownStanding,
  poolView,
  recoveryView,
  SUPERVISORS,
  supervisorView,
} from './views.ts';

const NEXT_SHOWN = 20;

const mailboxOf = (source: LiveSource, place: PlaceOfActor | undefined, path: string): MailboxDetail => {
  const cell = place?.cell;
  const figures = source.watch.figures(path);
  const { since } = source.watch;
  const waiting = cell?.box?.first(NEXT_SHOWN) ?? [];
  return {
    depth: cell?.mailboxSize ?? 0,
    capacity: place?.spec.mailboxCapacity ?? 0,
    overflow: place?.spec.overflow ?? 'reject',
    paused: cell?.suspended ?? false,
    ...(figures?.handling === undefined ? {} : { handling: figures.handling }),
    ...(cell?.lastMessage === undefined ? {} : { lastMessage: cell.lastMessage }),
    next: waiting.map((mail) => (mail.kind === RUN ? 'own code' : nameOf(mail.message))),
    ...(since === undefined || figures === undefined
      ? {}
      : { handled: figures.handled, since, waited: figures.waited.show(), ran: figures.ran.show() }),
  };
};

const optionsOf = (spec: Spec<unknown>): Readonly<Record<string, string | number | boolean>> => {
  const { restart, shutdownMs, initTimeoutMs, mailboxCapacity, overflow, onShutdown, overlap, significant } =
    spec;
  const shown = {
    restart,
    shutdownMs,
    initTimeoutMs,
    mailboxCapacity,
    overflow,
    onShutdown,
    overlap,
    significant,
  };
  return Object.fromEntries(
    Object.entries(shown).map(([name, value]) => [
      name,
      typeof value === 'number' && !Number.isFinite(value) ? String(value) : value,
    ]),
  );
};

/** What stands in a user's machine, and what may be sent to it. */
const machineOf = (
  source: LiveSource,
  ground: Ground,
  path: string,
): Pick<ActorDetail, 'chart' | 'context' | 'inner'> | undefined => {
  const snapshot = source.snapshotAt(path);
  if (snapshot === undefined) return undefined;
  const chart = source.charts.of(snapshot.machine, 'user');
  const standing = ground.steps.standing(chart, {
    path,
    value: snapshot.value,
    status: snapshot.status as ChartStanding['status'],
    snapshot,
    sendable: () => true,
    now: source.system.startedAt,
  });
  const { children = {} } = snapshot as { readonly children?: Readonly<Record<string, unknown>> };
  const inner = Object.entries(children).flatMap(([id, child]) => {
    const { src, getSnapshot } = (child ?? {}) as { src?: unknown; getSnapshot?: () => unknown };
    if (child === undefined) return [];
    const status =
      getSnapshot === undefined ? 'active' : (getSnapshot.call(child) as { status?: unknown }).status;
    return [{ id, src: typeof src === 'string' ? src : 'inline', status: String(status) }];
  });
  return { chart: standing, context: source.contextOf(snapshot, path), inner };
};

const componentOf = (
  ground: Ground,
  standing: Standing,
): Partial<Pick<ActorDetail, 'supervision' | 'breaker' | 'pool' | 'recovery'>> => {
  if (SUPERVISORS.includes(standing.kind)) return { supervision: supervisorView(ground, standing) };
  const breaker = standing.kind === 'breaker' ? breakerView(ground, standing) : undefined;
  if (breaker !== undefined) return { breaker };
  const pool = standing.kind === 'pool' ? poolView(ground, standing) : undefined;
  if (pool !== undefined) return { pool };
  const recovery = standing.kind === 'recovery' ? recoveryView(ground, standing) : undefined;
  return recovery === undefined ? {} : { recovery };
};

const unavailableOf = (
  source: LiveSource,
  hasChart: boolean,
  kind: string,
): Readonly<Record<string, string>> => ({
  ...(hasChart ? {} : { chart: `a ${kind} has no chart` }),
  ...(source.watch.since === undefined ? { messages: 'messages are known only while somebody watches' } : {}),
});

/** What is known of the actor at a path; `undefined` where nothing is. */
export const readActor = (source: LiveSource, ground: Ground, path: string): ActorDetail | undefined => {
  const standing = source.standing(path);
  if (standing === undefined) return undefined;
  const place = source.system.placeAt(path);
  const cell = place?.cell;
  const own = ownStanding(ground, standing);
  const machine = own === undefined ? machineOf(source, ground, path) : { chart: own };
  const fault = source.watch.fault(path);
  const parent = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : undefined;
  return {
    path,
    row: rowOf(standing, source.around(), { key: keyOf(standing), depth: 0, matched: true }),
    ...(parent === undefined ? {} : { parent }),
    names: [...(cell?.names ?? [])],
    options: place === undefined ? {} : optionsOf(place.spec),
    mailbox: mailboxOf(source, place, path),
    ...machine,
    restarts: ground.roster.place(path)?.history ?? [],
    ...componentOf(ground, standing),
    ...(fault === undefined ? {} : { fault }),
    unavailable: unavailableOf(source, machine?.chart !== undefined, standing.kind),
  };
};
