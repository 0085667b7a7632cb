/**
 * Links, monitors and exit signals between cells, with OTP's rules.
 *
 * Invariant: a link stands on both sides or on none; a monitor gives exactly one `down` unless it is removed. Notices
 * are mail, behind everything their sender sent before; an exit that ends its receiver takes the control lane.
 */
import { createError } from '../base/errors.ts';
import type { Cell } from './cell.ts';
import type { Info } from './logic.ts';
import { INFO, infoMail, nameOf } from './mail.ts';
import type { ExitReason } from './reason.ts';
import type { Ref } from './ref.ts';

/** What ties a cell to others; made when first needed. */
export interface Relations {
  readonly links: Set<Cell>;
  /** Monitors this cell has set: number → watched. */
  readonly monitors: Map<number, Cell>;
  /** Monitors set on this cell: number → watcher. */
  readonly watchers: Map<number, Cell>;
}

const relationsOf = (cell: Cell): Relations => {
  cell.relations ??= { links: new Set(), monitors: new Map(), watchers: new Map() };
  return cell.relations;
};

/** Tells a cell something on the kernel's own account. */
export const inform = (cell: Cell, info: Info): void => cell.post(infoMail(info));

export const link = (a: Cell, b: Cell): void => {
  if (a === b) return;
  relationsOf(a).links.add(b);
  relationsOf(b).links.add(a);
};

export const unlink = (a: Cell, b: Cell): void => {
  a.relations?.links.delete(b);
  b.relations?.links.delete(a);
};

export const monitor = (watcher: Cell, watched: Cell, number: number): void => {
  relationsOf(watcher).monitors.set(number, watched);
  relationsOf(watched).watchers.set(number, watcher);
};

/** Removes a monitor, and its `down` where that already waits. */
export const demonitor = (watcher: Cell, number: number): void => {
  const watched = watcher.relations?.monitors.get(number);
  watcher.relations?.monitors.delete(number);
  watched?.relations?.watchers.delete(number);
  watcher.removeMail((mail) => {
    if (mail.kind !== INFO) return false;
    const info = mail.message as Info;
    return info.type === 'down' && info.monitor === number;
  });
};

/** OTP's exit signal: `kill` is untrappable, `normal` is ignored, a trapping receiver gets mail. */
export const exitSignal = (to: Cell, from: Ref, reason: ExitReason | 'kill'): void => {
  if (reason === 'kill') to.kill();
  else if (to.trapExit) inform(to, { type: 'exit', ref: from, reason });
  else if (reason !== 'normal') to.exit(reason);
};

/** The end of a cell as its links and watchers hear of it; its own monitors and links are gone with it. */
export const notifyEnd = (cell: Cell, reason: ExitReason): void => {
  const own = cell.relations;
  if (own === undefined) return;
  cell.relations = undefined;
  for (const [number, watched] of own.monitors) watched.relations?.watchers.delete(number);
  for (const [number, watcher] of own.watchers) {
    watcher.relations?.monitors.delete(number);
    inform(watcher, { type: 'down', monitor: number, ref: cell.ref, reason });
  }
  for (const peer of own.links) {
    peer.relations?.links.delete(cell);
    exitSignal(peer, cell.ref, reason);
  }
};

/** The refusal of a call that nothing handles. */
export const noHandler = (path: string, message: unknown, known: readonly string[]): Error => {
  const name = nameOf(message);
  // A bare word in place of a message that has it as its type.
  const meant = typeof message === 'string' && known.includes(message);
  return createError('ERR_NO_HANDLER', {
    target: path,
    kind: 'call',
    message: meant ? `'${name}', which is no { type: '${name}' }` : name,
    expected: known,
  });
};

/**
 * The chain along which a call would wait for itself, or `undefined`. A caller up the chain counts only while it is
 * still in the turn in which it made the call, and has not piped it: only then does it wait.
 */
export const cycleOf = (issuer: Cell, target: Cell): string | undefined => {
  const chain = [target.place.path, issuer.place.path];
  if (issuer === target) return chain.join(' ← ');
  for (let call = issuer.currentCall; call?.issuer !== undefined; call = call.parent) {
    const { issuer: caller } = call;
    const waiting = call.open && !call.piped && caller.busy && caller.turn === call.issuerTurn;
    chain.push(caller.place.path);
    if (waiting && caller === target) return chain.join(' ← ');
  }
  return undefined;
};
