/**
 * What must hold of supervisors, breakers, pools, recovery and an end, rule by rule, and the properties (`scenario: property`) that
 * hold it in simulation. Each of those finds a planted bug (planted.test.ts).
 */

export interface Rule {
  readonly of: 'supervisors' | 'kernel' | 'breaker' | 'pool' | 'recovery' | 'shutdown' | 'everything';
  readonly rule: string;
  readonly held: readonly string[];
}

const rule = (of: Rule['of'], text: string, ...held: readonly string[]): Rule => ({ of, rule: text, held });

export const RULES: readonly Rule[] = [
  rule('supervisors', 'a child starts only after the one before it has', 'supervision: starts are serial'),
  rule(
    'supervisors',
    'children stop in reverse, also when a start is rolled back',
    'supervision: stopped in reverse',
  ),
  rule(
    'supervisors',
    'at most one incarnation of a child lives, the old one fully stopped first',
    'supervision: at most one incarnation a place',
    'dynamic: at most one incarnation a place',
  ),
  rule(
    'supervisors',
    'a start that fails leaves nothing',
    'supervision: a failed start leaves nothing',
    'dynamic: a failed start leaves nothing',
  ),
  rule(
    'supervisors',
    'after a stop nothing is owned any more',
    'supervision: nothing is left',
    'dynamic: nothing is left',
  ),
  rule(
    'supervisors',
    'exactly the intensity is survived, one failure more escalates',
    'supervision: more failures than the limit escalate',
    'supervision: within the limit nobody gives up',
    'dynamic: more failures than the limit escalate',
    'dynamic: within the limit nobody gives up',
  ),
  rule('supervisors', 'a strategy touches exactly its children', 'supervision: restarts touch the right set'),
  rule(
    'supervisors',
    'what must run runs again, and what is temporary does not',
    'supervision: what is permanent comes back',
    'dynamic: what is permanent comes back',
    'dynamic: what is temporary does not come back',
  ),
  rule(
    'supervisors',
    'stop twice, at once, during a start or a wait, or from inside: one sequence, everyone is answered',
    'supervision: terminate runs once',
    'supervision: every operation settles',
    'dynamic: terminate runs once',
    'dynamic: every operation settles',
  ),
  rule(
    'supervisors',
    'no start begins after a stop began',
    'supervision: no start after stop began',
    'dynamic: no start after stop began',
  ),
  rule(
    'supervisors',
    'a termination calls off the restart that is due',
    'supervision: what was terminated stays down',
    'dynamic: what was terminated stays down',
  ),
  rule('supervisors', 'dynamic children are independent', 'dynamic: a slow child delays no other'),
  rule(
    'supervisors',
    'never more dynamic children than allowed',
    'dynamic: never more children than allowed',
  ),
  rule('supervisors', 'a refusal says why', 'dynamic: refusals say why'),

  rule('kernel', 'mail of one sender is read in the order of sending', 'kernel: mail keeps its order'),
  rule('kernel', 'orders overtake mail', 'kernel: orders overtake mail'),
  rule('kernel', 'a reply that was sent before a death beats it', 'kernel: a reply beats the death'),
  rule(
    'kernel',
    'a call settles, with its own reply',
    'kernel: every call settles',
    'kernel: the reply is to the call',
  ),
  rule('kernel', 'a monitor tells once', 'kernel: a monitor tells once'),
  rule('kernel', 'an incarnation that has ended is fenced', 'kernel: the ended are fenced'),
  rule(
    'kernel',
    'handles follow restarts',
    'kernel: a handle follows its place',
    'dynamic: a handle follows its place',
  ),
  rule(
    'kernel',
    'what is acquired too late is closed exactly once',
    'supervision: what came too late is closed once',
    'supervision: terminate runs once',
    'dynamic: what came too late is closed once',
    'service: every resource is closed exactly once',
  ),

  rule('breaker', 'no call enters while open', 'breaker: no call enters while open'),
  rule('breaker', 'at most so many probes while half-open', 'breaker: at most so many probes'),
  rule('breaker', 'a result of an older generation moves nothing', 'breaker: stale results move nothing'),
  rule(
    'breaker',
    'counts are a fold of the endings',
    'breaker: counts are a fold of the endings',
    'breaker: closed lets through',
  ),
  rule('breaker', 'half-open only after the wait', 'breaker: half-open only after the wait'),
  rule(
    'breaker',
    'a probe always gives its permit back',
    'breaker: permits are conserved',
    'breaker: permits are given',
  ),
  rule(
    'breaker',
    'an admission is settled exactly once, on every path',
    'breaker: a token settles once',
    'breaker: every call settles',
  ),

  rule('pool', 'a worker has at most one job', 'pool: one job a worker'),
  rule(
    'pool',
    'never more workers than places',
    'pool: never more workers than places',
    'processes: no process is left to itself',
  ),
  rule('pool', 'every place is filled again', 'pool: all places are filled'),
  rule(
    'pool',
    'each accepted job settles exactly once',
    'pool: every job settles',
    'pool: what was let in is accounted for',
    'pool: nobody waits beyond his deadline',
    'processes: every job settles',
  ),
  rule(
    'pool',
    'a job runs once unless it may be repeated',
    'pool: run once unless idempotent',
    'processes: run once unless idempotent',
  ),
  rule('pool', 'first in, first served', 'pool: first in, first served'),
  rule('pool', 'an abort takes a job out of the line', 'pool: settled jobs do not start'),
  rule('pool', 'an answer is to its job', 'processes: the answer is to the job'),
  rule(
    'pool',
    'a rejection tells what became of the job',
    'pool: every rejection tells its outcome',
    'pool: what is said not to have started has not',
  ),
  rule(
    'pool',
    'a drain ends when nothing waits or runs, and always in time',
    'pool: a drain ends in time',
    'pool: a drain leaves nothing waiting',
    'pool: a drain leaves no worker',
    'pool: every drain settles',
  ),
  rule(
    'pool',
    'after the end no worker and no process lives',
    'pool: no worker lives',
    'processes: no process lives',
  ),

  rule(
    'recovery',
    'at most one recovery a subject',
    'recovery: one recovery a subject',
    'service: one recovery a subject',
  ),
  rule(
    'recovery',
    'each ends recovered, given up or cancelled, within its budget',
    'recovery: every recovery ends',
    'recovery: ends within its budget',
    'recovery: ends are three',
    'recovery: what ends had begun, once',
  ),
  rule(
    'recovery',
    'a crash after any prefix, and what is resumed changes nothing',
    'recovery: what has ended stays so',
    'recovery: a step keeps its key',
  ),
  rule(
    'recovery',
    'triggers during a recovery begin one more at most',
    'recovery: reports that came meanwhile begin one recovery',
  ),
  rule(
    'recovery',
    'whoever reports is answered',
    'recovery: every report is answered',
    'recovery: a report never rejects',
    'recovery: ends are four',
    'recovery: an error unless recovered',
  ),

  rule(
    'shutdown',
    'every resource is closed exactly once',
    'service: every resource is closed exactly once',
    'service: closed exactly once',
    'service: closed what was opened',
  ),
  rule(
    'shutdown',
    'dependants before what they depend on',
    'service: dependants close first',
    'service: opened after what it needs',
  ),
  rule(
    'shutdown',
    'within the deadline, with a report',
    'service: ends within the deadline',
    'service: one end, one report',
  ),
  rule('shutdown', 'what stops is not ready', 'service: a stopping service is not ready'),
  rule(
    'shutdown',
    'a root that gave up ends the application',
    'service: a root that gave up ends the application',
  ),
  rule('shutdown', 'a boot settles, whenever it is stopped', 'service: a boot settles'),
  rule(
    'shutdown',
    'no worker outlives the application',
    'service: no worker lives',
    'service: every call settles',
  ),

  rule(
    'everything',
    'when faults stop, all heals',
    'kernel: liveness',
    'breaker: liveness',
    'pool: liveness',
    'processes: liveness',
    'recovery: liveness',
    'service: liveness',
  ),
  rule(
    'everything',
    'no timer and no actor is left',
    'kernel: nothing is left',
    'breaker: nothing is left',
    'pool: nothing is left',
    'processes: nothing is left',
    'recovery: nothing is left',
    'service: nothing is left',
  ),
];
