/**
 * Every error troupe raises, in one table: code → class, message, outcome, what to do.
 *
 * Invariant: a code is never reused and never raised except through {@link createError}; `docs/ERRORS.md` is
 * printed from this table. It deliberately knows nothing of remedies: classification is `recovery/`'s business.
 */

/** What is known of the work that was refused or broken off: `unknown` may be retried only if idempotent. */
export type Outcome = 'not_started' | 'unknown' | 'completed';

interface ErrorEntry {
  readonly class: ErrorClass;
  /** `{field}` is replaced by the value of that name in the error's `data`. */
  readonly message: string;
  readonly outcome: Outcome;
  /** What the reader of a log should do about it; printed in docs/ERRORS.md. */
  readonly help: string;
}

type ErrorClass =
  | 'OptionError'
  | 'SimulationError'
  | 'CallError'
  | 'ActorError'
  | 'SupervisorError'
  | 'ChartError'
  | 'PolicyError'
  | 'BreakerError'
  | 'PoolError'
  | 'WorkerError'
  | 'LockError'
  | 'BusError'
  | 'ConnectionError'
  | 'HealthError'
  | 'ScopeError'
  | 'ExecutionError'
  | 'RecoveryError'
  | 'ApplicationError';

const entry = (errorClass: ErrorClass, outcome: Outcome, message: string, help: string): ErrorEntry => ({
  class: errorClass,
  outcome,
  message,
  help,
});

/** The table. Sorted by rank of the folder that raises it, then by name. */
export const ERRORS = {
  ERR_OPTION_INVALID: entry(
    'OptionError',
    'not_started',
    '{where}: {field} must be {expected}, got {got}',
    'Correct the option; nothing was started.',
  ),
  ERR_OPTION_UNKNOWN: entry(
    'OptionError',
    'not_started',
    '{where}: unknown option {field}{hint}; known are {expected}',
    'Remove or rename the option; unknown ones are never ignored.',
  ),
  ERR_HOST_TRANSPORT: entry(
    'ActorError',
    'unknown',
    'transport to {address} failed: {why}',
    'The peer is down or the address is wrong.',
  ),
  ERR_SIMULATION_BUSY: entry(
    'SimulationError',
    'not_started',
    'simulated host: {method}() was called while {running}() still runs',
    'Await each call that drives the simulated host before the next one.',
  ),
  ERR_SIMULATION_FAILED: entry(
    'SimulationError',
    'unknown',
    'simulation {scenario}: {property}: {why}{hint}',
    'The smallest run that shows it was written to data.file; replay it as the message says.',
  ),
  ERR_SIMULATION_FAULT: entry(
    'SimulationError',
    'unknown',
    'a fault as planned at {point}: {kind}',
    'The simulated host wanted it; whatever it befell has to cope.',
  ),
  ERR_SIMULATION_LEAK: entry(
    'SimulationError',
    'not_started',
    'real {what} was used inside a simulation',
    'Its stack names the culprit: take time, timers, chance and ids from the host, or it cannot be replayed.',
  ),
  ERR_SIMULATION_LIVELOCK: entry(
    'SimulationError',
    'unknown',
    'simulated host: {limit} steps at {nowMs} ms without coming to rest; the last were {labels}',
    'Something keeps asking for another step, or for a timer of 0 ms, at one instant.',
  ),
  ERR_SIMULATION_UNSETTLED: entry(
    'SimulationError',
    'unknown',
    'simulated host: {awaited} did not come within {maxMs} ms; waiting timers: {timers}',
    'Nothing that is ready or due brings it about; look at the timers, or for a lost reply.',
  ),
  ERR_CALL_TIMEOUT: entry(
    'CallError',
    'unknown',
    'call {message} to {target} had no reply within {timeoutMs} ms',
    'The callee may still be working on it; retry only what is idempotent, or give it a longer deadline.',
  ),
  ERR_CALL_CYCLE: entry(
    'CallError',
    'not_started',
    'call {message} to {target} would wait for itself: {chain}',
    'An actor called itself or a caller up the chain; use tell, ctx.pipe, or split the actor.',
  ),
  ERR_CALL_ABORTED: entry(
    'CallError',
    'unknown',
    'call {message} to {target} was aborted by its caller',
    "The caller's signal fired before the reply came.",
  ),
  ERR_CALL_LOST: entry(
    'CallError',
    'not_started',
    'call {message} to {target} was lost: a fault was put there with the explorer',
    'Somebody injected a fault with the explorer; its audit log says who. Clear it there.',
  ),
  ERR_FAULT_INJECTED: entry(
    'ActorError',
    'unknown',
    '{target} was made to fail on {message} with the explorer',
    'Somebody injected a fault with the explorer; its audit log says who. Clear it there.',
  ),
  ERR_RECORDING_INVALID: entry(
    'OptionError',
    'not_started',
    '{file} is no recording: {why}',
    'Give a file that a flight recorder wrote, or that a viewer saved.',
  ),
  ERR_PEER_MISSING: entry(
    'OptionError',
    'not_started',
    '{feature} needs the package {peer}, which is not installed: {install}',
    'Install it in your project; troupe asks for it only where it is used.',
  ),
  ERR_DRAWING_FAILED: entry(
    'OptionError',
    'not_started',
    '{file} cannot be drawn: {why}',
    'The file is loaded to be drawn: it has to load by itself, and to export a machine or a tree.',
  ),
  ERR_CALLEE_ENDED: entry(
    'CallError',
    'unknown',
    '{target} ended ({reason}) while it handled {message}',
    'The callee crashed or stopped mid-call; its crash report says why.',
  ),
  ERR_NO_HANDLER: entry(
    'CallError',
    'not_started',
    '{target} has no {kind} handler for {message}; known are {expected}',
    'Correct the message type, or add the handler.',
  ),
  ERR_MAILBOX_FULL: entry(
    'CallError',
    'not_started',
    'the mailbox of {target} is full ({capacity})',
    'The actor is slower than its callers: shed load, or raise its capacity knowing what that costs.',
  ),
  ERR_NOPROC: entry(
    'CallError',
    'not_started',
    '{target} is not alive',
    'It ended for good, was never started, or the ref is of an older incarnation.',
  ),
  ERR_RESTARTING: entry(
    'CallError',
    'not_started',
    '{target} is restarting; try again in {retryAfterMs} ms',
    "Retry later, or call with whenDown: 'wait'.",
  ),
  ERR_STOPPING: entry(
    'CallError',
    'not_started',
    '{target} is stopping and takes no more work',
    'Shutdown has begun; send the work elsewhere.',
  ),
  ERR_FENCED: entry(
    'ActorError',
    'not_started',
    '{target} has ended; its straggling handler may not {what}',
    'The handler ran on after its actor ended; honour ctx.signal.',
  ),
  ERR_NAME_TAKEN: entry(
    'ActorError',
    'not_started',
    'the name {name} is taken by {target}',
    'Names are unique among the living; unregister or choose another.',
  ),
  ERR_INIT_TIMEOUT: entry(
    'ActorError',
    'unknown',
    '{target} did not start within {timeoutMs} ms',
    'Raise initTimeoutMs, or move slow work behind ctx.continue().',
  ),
  ERR_INIT_FAILED: entry(
    'ActorError',
    'unknown',
    '{target} failed to start: {reason}',
    'See the cause; the start was rolled back.',
  ),
  ERR_CHART_UNSUPPORTED: entry(
    'ChartError',
    'not_started',
    'chart {chart}: {what} is outside the subset that troupe compiles',
    'Keep to flat or parallel states, named actions, pure guards and named delays.',
  ),
  ERR_CHART_LOOP: entry(
    'ChartError',
    'unknown',
    'chart {chart} took more than {limit} microsteps on {event}',
    'An eventless transition loops; guard it.',
  ),
  ERR_CHART_STATES: entry(
    'ChartError',
    'unknown',
    'chart {chart}: after {states} states of at most {limit} there are more{hint}',
    'Bound what grows, tell states apart by less with key, or raise limit.',
  ),
  ERR_CHART_STATE_KEY: entry(
    'ChartError',
    'not_started',
    'chart {chart}: {path} is {what}, which does not tell states apart',
    'Keep to data, or give key: what of a snapshot tells it apart.',
  ),
  ERR_CHART_IMPURE: entry(
    'ChartError',
    'unknown',
    'chart {chart}: {event} in {state} {what}',
    'What it assigns must be new, and follow from context and event alone; otherwise no exploration holds.',
  ),
  ERR_CHART_CHILD: entry(
    'ChartError',
    'not_started',
    'chart {chart}: {child} in {state} {what}',
    'Say under children what each child may answer, by its id or src; {} for one that never does.',
  ),
  ERR_EVENT_UNDECLARED: entry(
    'ChartError',
    'not_started',
    '{target} does not declare the event {event}; known are {expected}',
    'XState caches by event type; undeclared types from outside are refused so that the cache stays bounded.',
  ),
  ERR_XSTATE_UNSUPPORTED: entry(
    'ChartError',
    'not_started',
    'this version of XState lacks {what}, on which troupe relies',
    'Install an xstate ^5.33 that troupe was tested with, and only one copy of it.',
  ),
  ERR_SPEC_DUPLICATE: entry(
    'SupervisorError',
    'not_started',
    'the spec {id} stands at {first} and again at {second}',
    'A spec is a key; give the second place spec.as(otherId).',
  ),
  ERR_SPEC_UNKNOWN: entry(
    'SupervisorError',
    'not_started',
    'the spec {id} is not part of this application',
    'Ask with the very spec value that stands in the tree.',
  ),
  ERR_CHILD_ALREADY_STARTED: entry(
    'SupervisorError',
    'not_started',
    '{supervisor} already runs a child {child}',
    'OTP: already_started.',
  ),
  ERR_CHILD_ALREADY_PRESENT: entry(
    'SupervisorError',
    'not_started',
    '{supervisor} already knows a child {child}, which is not running',
    'OTP: already_present; use restartChild or deleteChild.',
  ),
  ERR_CHILD_NOT_FOUND: entry(
    'SupervisorError',
    'not_started',
    '{supervisor} knows no child {child}',
    'OTP: not_found.',
  ),
  ERR_CHILD_RUNNING: entry(
    'SupervisorError',
    'not_started',
    'child {child} of {supervisor} is running',
    'OTP: running; terminate it first.',
  ),
  ERR_CHILD_RESTARTING: entry(
    'SupervisorError',
    'not_started',
    'child {child} of {supervisor} is restarting',
    'OTP: restarting; wait, or terminate it.',
  ),
  ERR_CHILD_START_FAILED: entry(
    'SupervisorError',
    'unknown',
    '{supervisor} could not start {child}: {reason}',
    'See the cause; what had been started was stopped in reverse order.',
  ),
  ERR_MAX_CHILDREN: entry(
    'SupervisorError',
    'not_started',
    '{supervisor} already has {limit} children',
    'Raise maxChildren or wait; restarting children count.',
  ),
  ERR_INTENSITY_UNREACHABLE: entry(
    'SupervisorError',
    'not_started',
    '{supervisor}: with a backoff of {delayMs} ms its limit of {intensity} restarts in {periodMs} ms can never be reached by {child}; shorten the backoff, lengthen periodMs, or set giveUp',
    "The child would crash for ever, its supervisor never give up; giveUp takes { afterFailures } or 'never'.",
  ),
  ERR_DEPENDENCY_UNKNOWN: entry(
    'SupervisorError',
    'not_started',
    '{where}: {child} depends on the breaker {breaker}, which is not part of this application',
    'Put the very spec value that dependsOn names into the tree, before what depends on it.',
  ),
  ERR_DEPENDENCY_ORDER: entry(
    'SupervisorError',
    'not_started',
    '{where}: {child} depends on the breaker {breaker}, which {how}',
    'Place the breaker before what depends on it: children start in order and stop in reverse.',
  ),
  ERR_SELF_SUPERVISION: entry(
    'SupervisorError',
    'not_started',
    '{child} called its own supervisor {supervisor} while starting',
    'The supervisor waits for this init; call it later, from ctx.continue().',
  ),
  ERR_DEADLINE_PASSED: entry(
    'PolicyError',
    'unknown',
    '{where}: the work did not end within {timeoutMs} ms',
    'Its signal was aborted and its caller let go; it may still be running. Retry only what is idempotent.',
  ),
  ERR_POLICY_DISPOSED: entry(
    'PolicyError',
    'not_started',
    '{policy} has been disposed',
    'Whoever made the policy has ended it; nothing was started.',
  ),
  ERR_BULKHEAD_FULL: entry(
    'PolicyError',
    'not_started',
    '{policy}: all {limit} slots are taken and the line is full',
    'Shed the load or use a fallback; raise the limit only if the other side can bear it.',
  ),
  ERR_RATE_LIMITED: entry(
    'PolicyError',
    'not_started',
    '{policy}: no permit in time at {rate} per {periodMs} ms; there is one in {retryAfterMs} ms',
    'Come back after data.retryAfterMs, or raise the rate if the other side can bear it.',
  ),
  ERR_HEDGE_LOST: entry(
    'PolicyError',
    'unknown',
    '{policy}: another attempt at the same call has ended it',
    'Nothing to do: this is the reason with which the signals of the other attempts abort.',
  ),
  ERR_LOAD_SHED: entry(
    'PolicyError',
    'not_started',
    '{policy}: calls of priority {priority} are shed at a load of {load}',
    'There is more to do than can be done; come back later, or raise the priority of what must not be shed.',
  ),
  ERR_CHAOS_FAULT: entry(
    'PolicyError',
    'not_started',
    '{policy} injected a fault',
    'It was asked to: switch it off where that is not wanted.',
  ),
  ERR_BREAKER_OPEN: entry(
    'BreakerError',
    'not_started',
    'breaker {breaker} opened for {openMs} ms after {failures} failures',
    'The guarded thing is failing; use the fallback, or wait for data.retryAfterMs.',
  ),
  ERR_BREAKER_PROBING: entry(
    'BreakerError',
    'not_started',
    'breaker {breaker} is half-open and all its probes are out',
    'Recovery is being probed; use the fallback or wait.',
  ),
  ERR_BREAKER_ISOLATED: entry(
    'BreakerError',
    'not_started',
    'breaker {breaker} has been isolated',
    'An operator wants no call to pass; it does not end by itself.',
  ),
  ERR_BREAKER_DISPOSED: entry(
    'BreakerError',
    'not_started',
    'breaker {breaker} has been disposed',
    'It belongs to something that has stopped.',
  ),
  ERR_POOL_QUEUE_FULL: entry(
    'PoolError',
    'not_started',
    'pool {pool}: its queue of {limit} is full',
    'Shed the load (503 with Retry-After) or enlarge the pool.',
  ),
  ERR_POOL_CHECKOUT_TIMEOUT: entry(
    'PoolError',
    'not_started',
    'pool {pool}: no worker became free within {timeoutMs} ms{standing}',
    'All workers are busy, starting or crashed (then the cause is the last crash); the job never ran.',
  ),
  ERR_POOL_DRAINING: entry(
    'PoolError',
    'not_started',
    'pool {pool} is draining and takes no more jobs',
    'Shutdown has begun.',
  ),
  ERR_POOL_DEGRADED: entry(
    'PoolError',
    'not_started',
    'pool {pool}: its workers crash in a loop, {crashes} so far; retry in {retryAfterMs} ms; the last: {lastCrash}',
    'The cause is the last crash, with what its worker printed; the pool probes again by itself.',
  ),
  ERR_POOL_ABORTED: entry(
    'PoolError',
    'not_started',
    'the job for pool {pool} was aborted while it waited',
    "The caller's signal fired before a worker was free; the job never ran.",
  ),
  ERR_POOL_OVERLOADED: entry(
    'PoolError',
    'not_started',
    'pool {pool}: shed after {waitedMs} ms, for its queue has been too slow for too long',
    'The load is more than the workers can do; enlarge the pool, or give what matters a higher priority.',
  ),
  ERR_POOL_SESSION_BUSY: entry(
    'PoolError',
    'not_started',
    'pool {pool}: {worker}, which session {session} is with, is busy',
    "Try again, or have the pool wait: `affinity: { mode: 'strict_queue' }`.",
  ),
  ERR_POOL_NO_WORKER: entry(
    'PoolError',
    'not_started',
    'pool {pool}: worker {worker} is not there',
    'It is none of this pool, or has ended; nothing was run.',
  ),
  ERR_POOL_NOT_READY: entry(
    'PoolError',
    'not_started',
    'pool {pool}: {there} of {wanted} workers were there after {timeoutMs} ms{why}',
    'Workers take longer to start, or cannot; the cause is the last crash, if there was one.',
  ),
  ERR_POOL_REPLACE_FAILED: entry(
    'PoolError',
    'unknown',
    'pool {pool}: its workers were not all replaced: {why}',
    'Where a new one could not start, the old kind is back in use; the cause says why.',
  ),
  ERR_LEASE_OVER: entry(
    'PoolError',
    'not_started',
    'pool {pool}: the lease of {worker} is over, {job} was not run',
    'It was released, or its worker has ended; take another lease.',
  ),
  ERR_JOB_TIMEOUT: entry(
    'PoolError',
    'unknown',
    'job {job} on {worker} passed its deadline of {timeoutMs} ms',
    'The worker was asked to cancel, then killed if it did not comply.',
  ),
  ERR_JOB_ABORTED: entry(
    'PoolError',
    'unknown',
    'job {job} on {worker} was aborted by its caller',
    "The caller's signal fired while the job ran.",
  ),
  ERR_JOB_FAILED: entry(
    'PoolError',
    'completed',
    'job {job} failed in {worker}: {type}: {text}',
    'The handler in the worker threw; its type, text and traceback are in data.',
  ),
  ERR_JOB_INVALID: entry(
    'PoolError',
    'not_started',
    'job {job} cannot be sent: {why}',
    'Arguments must be JSON within the frame and depth limits.',
  ),
  ERR_JOB_CUT_OFF: entry(
    'PoolError',
    'unknown',
    'job {job} on {worker} was still running when pool {pool} had to close ({reason})',
    'It needed longer than the stop allows: raise shutdownMs or deadlineMs; retry only what is idempotent.',
  ),
  ERR_WORKER_EXITED: entry(
    'WorkerError',
    'unknown',
    '{worker} exited ({how}) while it ran {job}',
    'See lastStderr in data; retried only if the job is idempotent.',
  ),
  ERR_WORKER_START: entry(
    'WorkerError',
    'not_started',
    '{worker} did not start: {why}',
    'Check the module, the command, its cwd and its environment; what it printed is in data.lastStderr.',
  ),
  ERR_WORKER_PROTOCOL: entry(
    'WorkerError',
    'unknown',
    '{worker} broke the protocol: {why}',
    'It printed something else than frames; it was killed and replaced.',
  ),
  ERR_FRAME_TOO_LARGE: entry(
    'WorkerError',
    'not_started',
    'a frame of {bytes} bytes exceeds the limit of {limit}',
    'Send less, or raise maxFrameBytes on both sides.',
  ),
  ERR_FRAME_MALFORMED: entry(
    'WorkerError',
    'unknown',
    'malformed frame: {why}',
    'The peer does not speak the protocol of docs/PROTOCOL.md.',
  ),
  ERR_BUS_CLOSED: entry(
    'BusError',
    'not_started',
    '{where} is closing or closed',
    'Its owner ends; what is published now would reach nobody.',
  ),
  ERR_BUS_FULL: entry(
    'BusError',
    'unknown',
    '{where}: {name} had no room for {topic} within {timeoutMs} ms',
    'That subscriber is too slow for its publishers; others may have the event.',
  ),
  ERR_BUS_NOT_TAKEN: entry(
    'BusError',
    'not_started',
    '{where}: the mailbox of an actor did not take {topic}',
    'It is full or the actor is down; the event is counted as failed.',
  ),
  ERR_BUS_SUBSCRIPTIONS: entry(
    'BusError',
    'not_started',
    '{where} has {limit} subscriptions already',
    'Something subscribes again and again without unsubscribing: give it an owner.',
  ),
  ERR_CONNECTION_ENDED: entry(
    'ConnectionError',
    'not_started',
    '{where} has ended: {why}',
    'The reason of its signal; what was made for this client can stop.',
  ),
  ERR_CONNECTION_PEER: entry(
    'ConnectionError',
    'not_started',
    '{where} needs the package {package}, which is not there: npm install {package}',
    'It is an optional peer dependency: install it beside troupe.',
  ),
  ERR_CONNECTION_SOURCE: entry(
    'ConnectionError',
    'not_started',
    '{where} has a source already',
    'One source a connection; merge them, or send from each.',
  ),
  ERR_UNHEALTHY: entry(
    'HealthError',
    'unknown',
    '{where} is unhealthy: {reading}, ill from {enter} on',
    'It was found so several times in a row; data.reading is the last, the cause why there was none.',
  ),
  ERR_HEALTH_CHECK_ENDED: entry(
    'HealthError',
    'not_started',
    '{where} has ended',
    'Its monitor was disposed of, or its actor ended.',
  ),
  ERR_HEALTH_CHECK_READING: entry(
    'HealthError',
    'unknown',
    '{where} gave no number but {got}',
    'A check gives a number, more being worse, or undefined where it cannot know.',
  ),
  ERR_HEALTH_CHECK_TIMEOUT: entry(
    'HealthError',
    'unknown',
    '{where} had no answer within {timeoutMs} ms',
    'What it asks hangs; it is asked again when that has come back.',
  ),
  ERR_HEALTH_NO_APPLICATION: entry(
    'HealthError',
    'not_started',
    '{path} is in no application that could exit',
    "The remedy 'exit' ends an application: put the monitor into the tree of one.",
  ),
  ERR_DEAD_LETTERS_BUSY: entry(
    'BusError',
    'not_started',
    'the dead letters in {directory} are being replayed',
    'One replay at a time, so that their order holds; await the other.',
  ),
  ERR_DEAD_LETTERS_CLOSED: entry(
    'BusError',
    'not_started',
    'the dead letters in {directory} were closed',
    'Their owner ends; nothing is kept there any more.',
  ),
  ERR_DEAD_LETTERS_FULL: entry(
    'BusError',
    'not_started',
    'the dead letters in {directory} have no room: at most {limit} bytes',
    'Replay or delete what is there, allow more, or let the oldest go.',
  ),
  ERR_DELIVERY_TIMEOUT: entry(
    'BusError',
    'unknown',
    '{where}: {name} did not handle {topic} within {timeoutMs} ms',
    'Its handler is slow or hangs; the next event was delivered without waiting for it.',
  ),
  ERR_SUBSCRIPTION_ENDED: entry(
    'BusError',
    'unknown',
    '{where}: subscription {name} has ended: {why}',
    'Its handler was still at work.',
  ),
  ERR_LOCK_CYCLE: entry(
    'LockError',
    'not_started',
    '{where}: {owner} would wait for {key} for ever: {cycle}',
    'Take the locks in one order everywhere, or take one that covers both.',
  ),
  ERR_LOCK_LOST: entry(
    'LockError',
    'unknown',
    '{where}: the lease of {key} (token {token}) was lost: {why}',
    'Others may have held the key meanwhile: let what it protects check the fencing token; send heartbeats in time.',
  ),
  ERR_LOCK_OWNER_ENDED: entry(
    'LockError',
    'not_started',
    '{where}: {owner} has ended and gets {key} no more',
    'It left the line with all else that it had; nothing to do.',
  ),
  ERR_LOCK_QUEUE_FULL: entry(
    'LockError',
    'not_started',
    '{where}: {limit} claims already wait for {key}',
    'Something holds it too long, or too much wants it: shed load, or split the key.',
  ),
  ERR_LOCK_REENTRANT: entry(
    'LockError',
    'not_started',
    '{where}: {owner} holds {key} {how}',
    'Hand the lease down instead of taking the key again, or allow it with reentrant: true; a reader cannot become the writer.',
  ),
  ERR_LOCK_RELEASE_FAILED: entry(
    'LockError',
    'unknown',
    '{where}: the lease of {key} could not be released',
    'The store that keeps the locks failed (see cause); the key stays locked until the lease expires.',
  ),
  ERR_LOCK_TIMEOUT: entry(
    'LockError',
    'not_started',
    '{where}: {owner} did not get {key} within {timeoutMs} ms; held by {holder}',
    'The holder is slow or stuck; the work was not started.',
  ),
  ERR_LOCKS_DISPOSED: entry(
    'LockError',
    'not_started',
    '{where}: they were disposed of',
    'Their owner has ended; nothing can be locked there any more.',
  ),
  ERR_LEAK_FOUND: entry(
    'ScopeError',
    'unknown',
    '{where} left {count} behind: {leaks}',
    'Whoever made them has to end them; each names where it was made.',
  ),
  ERR_LEAK_THRESHOLD: entry(
    'ScopeError',
    'unknown',
    '{where}: {what} is {value}, above {limit}',
    'Something grows: the report of the audit names what lives, and what outlived its owner.',
  ),
  ERR_OPERATION_LOG_FILE: entry(
    'ScopeError',
    'not_started',
    'operation {operation}: its log file {path} could not be opened: {why}',
    'Correct the path, or give each operation that runs at a time a file of its own.',
  ),
  ERR_SCOPE_CLOSED: entry(
    'ScopeError',
    'not_started',
    '{where} is closing or closed: task {task} was not started',
    'Its owner ends, or one of its tasks failed (see cause); nothing starts there any more.',
  ),
  ERR_SCOPE_FAILED: entry(
    'ScopeError',
    'unknown',
    '{where}: {failed} of its tasks failed: {tasks}',
    'Its cause is an AggregateError of what they threw.',
  ),
  ERR_SCOPE_STRAGGLERS: entry(
    'ScopeError',
    'unknown',
    '{where} closed over tasks that did not end: {tasks}',
    'They ignore their signal: hand it to whatever they wait for.',
  ),
  ERR_TASK_CANCELLED: entry(
    'ScopeError',
    'unknown',
    '{where}: task {task} was cancelled',
    'Its starter or its scope asked it to end.',
  ),
  ERR_TASK_STRAGGLED: entry(
    'ScopeError',
    'unknown',
    '{where}: task {task} had not ended when its scope could wait no longer',
    'It ignores its signal: hand that to whatever it waits for.',
  ),
  ERR_TASK_TIMEOUT: entry(
    'ScopeError',
    'unknown',
    '{where}: task {task} was not over within {timeoutMs} ms',
    'It was cancelled, and may still run if it ignores its signal.',
  ),
  ERR_CAPABILITY_TIMEOUT: entry(
    'ExecutionError',
    'unknown',
    'execution {execution} in {session}: the provider of {capability} did not answer {request} within {timeoutMs} ms',
    'It is slow or hangs: hand its signal to whatever it waits for; the code was told so.',
  ),
  ERR_CHECKPOINT_TOO_LARGE: entry(
    'ExecutionError',
    'not_started',
    'the checkpoint of {session} takes {bytes} characters, more than {limit}',
    'A process that replaces this one starts with an empty namespace: raise checkpointBytes, or keep large values in files.',
  ),
  ERR_EXECUTION_CANCELLED: entry(
    'ExecutionError',
    'unknown',
    'execution {execution} in {session} was cancelled: {why}',
    'Somebody asked for it, or its session closed; data.stage says what it took.',
  ),
  ERR_EXECUTION_FAILED: entry(
    'ExecutionError',
    'completed',
    'execution {execution} in {session} threw {type}: {text}',
    'The code is at fault; its traceback is in data. The session goes on.',
  ),
  ERR_EXECUTION_LIMIT: entry(
    'ExecutionError',
    'unknown',
    'execution {execution} in {session} broke the limit {limit} of {figure}: {observed}',
    'It was stopped; data.limit names the option. Raise it only if such code is meant to run.',
  ),
  ERR_EXECUTION_TIMEOUT: entry(
    'ExecutionError',
    'unknown',
    'execution {execution} in {session} was not over within {timeoutMs} ms',
    'It was stopped; data.stage says whether its process had to be replaced.',
  ),
  ERR_EXECUTION_UNKNOWN: entry(
    'ExecutionError',
    'unknown',
    'execution {execution} of {executor} began before this service did, and nobody knows what came of it',
    'The service ended while it ran. It is never run again under this id: use another one where that is safe.',
  ),
  ERR_OUTPUT_DRAIN: entry(
    'ExecutionError',
    'completed',
    'execution {execution}: its reader did not take what was left within {drainMs} ms: {waiting} events waited',
    'The code had ended; its result is withheld, since what came before it was not read. Read faster, or raise drainMs.',
  ),
  ERR_SESSION_BUSY: entry(
    'ExecutionError',
    'not_started',
    '{session} is executing and takes no {what} now',
    'One execution at a time: await its result, cancel it, or use another session.',
  ),
  ERR_SESSION_ENDED: entry(
    'ExecutionError',
    'not_started',
    '{session} has ended',
    'It was closed, or its process crashed too often (then that is the cause); start another one.',
  ),
  ERR_RECOVERY_CAPACITY: entry(
    'RecoveryError',
    'not_started',
    'recovery of {subject} refused: {limit} recoveries already run',
    'The service is failing in many places; look for the common cause.',
  ),
  ERR_RECOVERY_ABANDONED: entry(
    'RecoveryError',
    'completed',
    'recovery of {subject} abandoned: {category}/{severity}',
    'The table says that nothing helps against this error.',
  ),
  ERR_RECOVERY_CANCELLED: entry(
    'RecoveryError',
    'unknown',
    'recovery of {subject} was cancelled',
    'Someone cancelled it, or shutdown began.',
  ),
  ERR_RECOVERY_DEADLINE: entry(
    'RecoveryError',
    'unknown',
    'recovery of {subject} passed its budget of {budgetMs} ms',
    'Its remedies took too long; they were told to stop.',
  ),
  ERR_RECOVERY_EXHAUSTED: entry(
    'RecoveryError',
    'unknown',
    'recovery of {subject}: {remedy} did not help after {attempts} steps',
    'See the cause, which is the last error; the subject still needs somebody.',
  ),
  ERR_RECOVERY_CONTAINED: entry(
    'RecoveryError',
    'completed',
    'recovery of {subject}: it is contained by {remedy}, and not back',
    'Calls are refused until it heals by itself (a breaker), or it was stopped for good.',
  ),
  ERR_RECOVERY_NO_STEP: entry(
    'RecoveryError',
    'not_started',
    'recovery of {subject}: {remedy} is called for and has nothing to run',
    'Give the playbook entry a step of that name; for retry, give an operation.',
  ),
  ERR_RECOVERY_UNKNOWN: entry(
    'RecoveryError',
    'not_started',
    'no recovery {recovery} is known',
    'It never ran or has left the history.',
  ),
  ERR_APP_START: entry(
    'ApplicationError',
    'unknown',
    'application {app} did not start: {reason}',
    'See the cause; what had been started was stopped again.',
  ),
  ERR_RESOURCE_OPEN: entry(
    'ApplicationError',
    'unknown',
    'resource {resource} did not open: {reason}',
    'See the cause; what had been opened before it was closed again.',
  ),
} as const satisfies Record<string, ErrorEntry>;

/** A code of the table. */
export type ErrorCode = keyof typeof ERRORS;

const BRAND = Symbol.for('troupe/error');

/** Facts about an error: filled into the message and kept for handlers and logs. Never user payloads. */
export type ErrorData = Readonly<Record<string, unknown>>;

/** The base of all errors of troupe. Recognise one with {@link isTroupeError}, which works across realms. */
export class TroupeError extends Error {
  // Declared alone: fields that are set to nothing first would cost each error as much again.
  declare readonly code: ErrorCode;
  declare readonly outcome: Outcome;
  declare readonly data: ErrorData;

  constructor(code: ErrorCode, message: string, outcome: Outcome, data: ErrorData, cause: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.outcome = outcome;
    this.data = data;
  }
}
Object.defineProperty(TroupeError.prototype, BRAND, { value: true });
Object.defineProperty(TroupeError.prototype, 'name', {
  value: 'TroupeError',
  writable: true,
  configurable: true,
});

const classes = new Map<ErrorClass, typeof TroupeError>();
const classNamed = (name: ErrorClass): typeof TroupeError => {
  let found = classes.get(name);
  if (found === undefined) {
    found = class extends TroupeError {};
    Object.defineProperty(found, 'name', { value: name });
    Object.defineProperty(found.prototype, 'name', { value: name, writable: true, configurable: true });
    classes.set(name, found);
  }
  return found;
};

const fill = (template: string, data: ErrorData): string =>
  template.replace(/\{(\w+)\}/g, (_whole, key: string) => show(data[key]));

/** A short, safe rendering of any value for an error message; payloads are named by type, never dumped. */
export const show = (value: unknown): string => {
  if (typeof value === 'string') return value;
  if (value instanceof Error) return `${value.name}: ${plainText(value)}`;
  if (Array.isArray(value)) return value.map(show).join(', ');
  if (typeof value === 'function') return `function ${value.name || '(anonymous)'}`;
  if (typeof value !== 'object' || value === null) return String(value);
  const name = (Object.getPrototypeOf(value) as { constructor?: { name?: string } } | null)?.constructor
    ?.name;
  return name === undefined || name === 'Object' ? showKeys(Object.keys(value)) : name;
};

const LONGEST_KEYS = 6;
const showKeys = (keys: readonly string[]): string =>
  keys.length === 0 ? '{}' : `{ ${keys.slice(0, LONGEST_KEYS).join(', ')} }`;

/** What an error says, without the code at the end of ours: for use within another message. */
export const plainText = (error: Error): string =>
  isTroupeError(error) && error.message.endsWith(` [${error.code}]`)
    ? error.message.slice(0, -error.code.length - 3)
    : error.message;

/** How {@link createError} makes its error. */
export interface ErrorOptions {
  /** What led to it. */
  readonly cause?: unknown;
  /** Overrides the table's outcome where the raiser knows better. */
  readonly outcome?: Outcome;
  /** `false` makes it without a stack: 8 × cheaper, for refusals on hot paths. Default `true`. */
  readonly stack?: boolean;
}

/** The only way an error of troupe is made. `data` fills the table's message. */
export const createError = (code: ErrorCode, data: ErrorData, options: ErrorOptions = {}): TroupeError => {
  const { class: errorClass, message, outcome } = ERRORS[code];
  const ErrorType = classNamed(errorClass);
  const make = () =>
    new ErrorType(code, `${fill(message, data)} [${code}]`, options.outcome ?? outcome, data, options.cause);
  return options.stack === false ? withoutStack(make) : make();
};

const withoutStack = (make: () => TroupeError): TroupeError => {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = limit;
  }
};

/** Another one that says the same, for an owner of its own; without a stack, and without the work of putting it in words. */
export const sameError = (error: TroupeError): TroupeError => {
  const { code, message, outcome, data, cause } = error;
  const ErrorType = classNamed(ERRORS[code].class);
  return withoutStack(() => new ErrorType(code, message, outcome, data, cause));
};

/** Whether `value` is an error of troupe (with this code, if one is given); works across realms and copies. */
export const isTroupeError = <C extends ErrorCode>(
  value: unknown,
  code?: C,
): value is TroupeError & { code: C } =>
  typeof value === 'object' &&
  value !== null &&
  (value as { [BRAND]?: unknown })[BRAND] === true &&
  (code === undefined || (value as TroupeError).code === code);
