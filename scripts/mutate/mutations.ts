/** The ways in which `npm run -s mutate` breaks supervision, one at a time. Each pattern stands exactly once in its file. */

export interface Mutation {
  readonly what: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** The recorded random scripts that must catch it by themselves, where it is planted for them. */
  readonly by?: 'links' | 'names' | 'held inits' | 'templates in templates' | 'several faults';
}

const STATIC = 'src/supervision/static-supervisor.ts';
const DYNAMIC = 'src/supervision/dynamic-supervisor.ts';
const SHARED = 'src/supervision/supervision.ts';
const CHILD = 'src/supervision/child.ts';
const GROUP = 'src/supervision/waiting-group.ts';
const HOLD = 'src/supervision/hold.ts';
const GATE = 'src/supervision/breaker-gate.ts';
const LIMIT = 'src/supervision/restart-limit.ts';
const STEPS = 'src/supervision/child-steps.ts';
const RULES = 'src/supervision/child-rules.ts';
const WORK = 'src/supervision/work.ts';
const CHART = 'actors/supervised-child.machine.ts';
const RELATIONS = 'src/kernel/relations.ts';
const REGISTRY = 'src/kernel/registry.ts';

export const MUTATIONS: readonly Mutation[] = [
  {
    what: 'one restart more than the intensity is allowed',
    file: LIMIT,
    from: 'this.used(nowMs) <= this.intensity',
    to: 'this.used(nowMs) <= this.intensity + 1',
  },
  {
    what: 'one restart fewer than the intensity is allowed',
    file: LIMIT,
    from: 'this.used(nowMs) <= this.intensity',
    to: 'this.used(nowMs) < this.intensity',
  },
  {
    what: "the window's old edge is left out",
    file: LIMIT,
    from: 'oldest < edge;',
    to: 'oldest <= edge;',
  },
  { what: 'restarts never leave the window', file: LIMIT, from: 'oldest < edge;', to: 'false;' },
  {
    what: 'the period counts twice',
    file: LIMIT,
    from: 'nowMs - this.periodMs',
    to: 'nowMs - 2 * this.periodMs',
  },
  {
    what: 'children stop in the order in which they started',
    file: STEPS,
    from: 'for (const child of [...children].reverse()) {',
    to: 'for (const child of [...children]) {',
  },
  {
    what: 'children are listed in start order',
    file: STATIC,
    from: '[...this.#children].reverse().map(listing)',
    to: '[...this.#children].map(listing)',
  },
  {
    what: 'rest_for_one restarts all',
    file: STATIC,
    from: "this.#strategy === 'one_for_all' ? 0 :",
    to: "this.#strategy !== 'one_for_one' ? 0 :",
  },
  {
    what: 'rest_for_one leaves out the failed child',
    file: STATIC,
    from: ': this.#children.indexOf(culprit);',
    to: ': this.#children.indexOf(culprit) + 1;',
  },
  {
    what: 'one_for_all restarts like rest_for_one',
    file: STATIC,
    from: "this.#strategy === 'one_for_all' ? 0 :",
    to: 'this.#children.length === 0 ? 0 :',
  },
  {
    what: 'all strategies restart one for one',
    file: STATIC,
    from: "else if (this.#strategy !== 'one_for_one') yield*",
    to: 'else if (this.#strategy === undefined) yield*',
  },
  {
    what: 'failed restarts are not counted',
    file: STATIC,
    from: 'this.#work.enqueue(() => this.#failed(child, child.lastReason));',
    to: 'this.#work.enqueue(() => this.#restart(child));',
  },
  {
    what: 'a failed restart is not tried again',
    file: STATIC,
    from: 'this.#work.enqueue(() => this.#failed(child, child.lastReason));',
    to: 'void child;',
  },
  {
    what: 'temporary siblings stay known after a group restart',
    file: GROUP,
    from: "if (child.spec.restart === 'temporary' && child !== culprit) this.#siblings.forget(child);",
    to: "if (child.spec.restart === 'temporary' && child !== culprit) child.place.markGone();",
  },
  {
    what: 'temporary children stay known after their end',
    file: STATIC,
    from: "    child.place.markGone();\n    if (child.spec.restart === 'temporary') this.forget(child);\n",
    to: '    child.place.markGone();\n',
  },
  {
    what: 'transient children are restarted after a clean end',
    file: CHILD,
    from: "this.spec.restart === 'transient' && !isClean(reason)",
    to: "this.spec.restart === 'transient'",
  },
  {
    what: 'permanent children are not restarted after a clean end',
    file: CHILD,
    from: "return this.spec.restart === 'permanent' || (",
    to: "return (this.spec.restart === 'permanent' && !isClean(reason)) || (",
  },
  {
    what: 'temporary children are restarted',
    file: CHILD,
    from: "this.spec.restart === 'transient' && !isClean(reason)",
    to: "this.spec.restart !== 'permanent' && !isClean(reason)",
  },
  {
    what: 'a clean end of a permanent child at its stop is not reported',
    file: CHILD,
    from: "return spec.restart !== 'permanent' && isClean(reason);",
    to: 'return isClean(reason);',
  },
  {
    what: 'brutal_kill is an orderly stop',
    file: SHARED,
    from: "if (shutdownMs === 'brutal_kill') child.cell?.kill(",
    to: "if (shutdownMs === 'brutal_kill') child.cell?.stop('shutdown', ",
  },
  {
    what: 'any_significant waits for all',
    file: SHARED,
    from: "if (autoShutdown === 'any_significant') return true;",
    to: '',
  },
  {
    what: 'all_significant does not wait for the others',
    file: SHARED,
    from: 'if (spec.significant && (cell !== undefined || standing.due)) return false;',
    to: 'void [spec, cell, standing];',
  },
  {
    what: 'insignificant children count for the automatic shutdown',
    file: SHARED,
    from: "if (autoShutdown === 'never' || !child.spec.significant) return false;",
    to: "if (autoShutdown === 'never') return false;",
  },
  {
    what: 'clean ends of temporary children are reported',
    file: SHARED,
    from: "if (child.spec.restart === 'permanent' || !isClean(reason))",
    to: 'if (reason !== undefined)',
  },
  {
    what: 'a failed start that was asked for is reported',
    file: SHARED,
    from: "if (why !== 'request') this.report",
    to: 'this.report',
  },
  {
    what: 'giving up restarts the children once more',
    file: STATIC,
    from: "if (delayMs === 'give_up') yield* this.#giveUp(child);",
    to: "if (delayMs === 'give_up') yield* this.#restart(child);",
  },
  {
    what: 'a dynamic child that is not restarted stays known',
    file: DYNAMIC,
    from: '    this.#forget(child);\n    if (this.#closing || !this.#supervision.isFinal',
    to: '    if (this.#closing || !this.#supervision.isFinal',
  },
  {
    what: 'a template counts as many specs as children',
    file: DYNAMIC,
    from: '? counts : { ...counts, specs: 1 }',
    to: '? counts : { ...counts }',
  },
  {
    what: 'a budget of a child’s own is spent from its supervisor’s',
    file: SHARED,
    from: 'if (restartBudget === undefined) return this.limit;',
    to: 'if (restartBudget !== null) return this.limit;',
  },
  {
    what: 'significant children are taken where nothing comes of it',
    file: RULES,
    from: "child.significant && rules.autoShutdown === 'never'",
    to: 'child.significant && rules.autoShutdown === undefined',
  },
  {
    what: 'siblings wait for ever for a culprit that was terminated',
    file: GROUP,
    from: 'else if (unfinished?.culprit === child) yield* this.#leaveOut(unfinished);',
    to: '',
  },
  {
    what: 'a link passes on normal',
    file: RELATIONS,
    from: "else if (reason !== 'normal') to.exit(reason);",
    to: 'else to.exit(reason);',
    by: 'links',
  },
  {
    what: 'those who trap exits hear of no normal end of whom they are linked to',
    file: RELATIONS,
    from: 'else if (to.trapExit) inform(',
    to: "else if (to.trapExit && reason === 'normal') return;\n  else if (to.trapExit) inform(",
    by: 'links',
  },
  {
    what: 'names outlive who holds them',
    file: REGISTRY,
    from: 'for (const name of cell.names) this.#names.delete(name);',
    to: '',
    by: 'names',
  },
  {
    what: 'a child that is restarted already can be restarted',
    file: CHART,
    from: "onRestart: 'ERR_CHILD_RESTARTING',",
    to: 'onRestart: null,',
    by: 'held inits',
  },
  {
    what: 'siblings of a culprit that failed to restart restart with it',
    file: GROUP,
    from: 'if (child.backoff === false) leaveStopped',
    to: 'if (child === undefined) leaveStopped',
    by: 'held inits',
  },
  {
    what: 'a failed restart is tried again before what else was asked',
    file: STATIC,
    from: "if (yield* startOne(this.supervision, child, 'restart')) this.supervision.restarted(child);\n    else this.retry(child);",
    to: "if (yield* startOne(this.supervision, child, 'restart')) this.supervision.restarted(child);\n    else yield* this.#failed(child, child.lastReason);",
    by: 'held inits',
  },
  {
    what: 'a dynamic supervisor counts no failures',
    file: DYNAMIC,
    from: 'this.#supervision.countFailure(child, reason)',
    to: '(0 as number | string)',
    by: 'templates in templates',
  },
  {
    what: 'a fault that comes while another is dealt with is lost',
    file: WORK,
    from: 'this.#orders.push({ begin, request });',
    to: 'if (this.#current === undefined || request !== undefined) this.#orders.push({ begin, request });',
    by: 'several faults',
  },
  {
    what: 'what befalls a child while its breaker is open is counted',
    file: SHARED,
    from: 'if (this.isCutOff(child)) {',
    to: 'if (child === undefined) {',
  },
  {
    what: 'a hold never lasts too long',
    file: HOLD,
    from: "() => this.#release('expired')",
    to: '() => undefined',
  },
  {
    what: 'held children start all at once',
    file: GATE,
    from: 'this.#line.delete(waiter) || this.probes',
    to: 'this.#line.delete(waiter) && waiter === undefined',
  },
  {
    what: 'a turn at a breaker is kept for good',
    file: GATE,
    from: '      this.#turn = undefined;\n',
    to: '',
  },
  {
    what: 'nobody hears of the end of a breaker',
    file: GATE,
    from: ', this.#place.onGone(review)]',
    to: ']',
  },
  {
    what: 'a hold outlives its supervisor',
    file: HOLD,
    from: 'holder.context.onEnd(() => this.#abandon())',
    to: 'holder.context.onEnd(() => undefined)',
  },
  {
    what: 'a group is held in part',
    file: GROUP,
    from: '(other) => members.has(other) && !begun.has(other)',
    to: '(other) => other === child',
  },
  {
    what: 'a boot does not look at breakers',
    file: STATIC,
    from: 'if (this.#isHeldAtBoot(child)) {',
    to: 'if (child === undefined) {',
  },
];
