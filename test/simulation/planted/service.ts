/** Bugs of a whole service: of its boot, its end and its resources. */
import type { Application } from '../../../src/application/application.ts';
import { OpenResources } from '../../../src/application/open-resources.ts';
import type { Resource } from '../../../src/application/resource.ts';
import { EventStream } from '../../../src/base/telemetry.ts';
import { Call } from '../../../src/kernel/mail.ts';
import { SystemOfActors } from '../../../src/kernel/system.ts';
import { ScriptedPort } from '../../../src/testing/scripted-worker.ts';
import type { AnyScenario } from '../scenarios/index.ts';
import { service } from '../scenarios/service.ts';
import { type Bug, type Method, nothing, twice } from './plant.ts';

const scenario = service as AnyScenario;
const never = (): Promise<never> => new Promise(() => undefined);

/** Opens what `change` makes of a resource. */
const opening =
  (change: (resource: Resource) => Partial<Resource>) =>
  (original: Method): Method =>
    function (this: OpenResources, resource: Resource, stop: AbortSignal) {
      return Reflect.apply(original, this as never, [{ ...resource, ...change(resource) }, stop] as never);
    } as Method;

/** Does something to the application that opens a resource. */
const meddling = (meddle: (app: Application) => void): ((original: Method) => Method) =>
  opening(({ open }) => ({
    open: (context) => {
      meddle(context.app);
      return open(context);
    },
  }));

export const SERVICE_BUGS: readonly Bug[] = [
  {
    bug: 'what the tree still needs is closed',
    scenario,
    violates: ['dependants close first'],
    plant: (put) =>
      put(
        OpenResources,
        'drain',
        (original) =>
          async function (this: OpenResources, deadline: number) {
            await Reflect.apply(original, this as never, [deadline] as never);
            await this.close(deadline);
          } as Method,
      ),
  },
  {
    bug: 'what a resource needs is not waited for',
    scenario,
    violates: ['opened after what it needs'],
    plant: (put) =>
      put(
        OpenResources,
        'open',
        (original) =>
          async function (this: never, ...args: never[]) {
            void Promise.resolve(Reflect.apply(original, this, args)).catch(() => undefined);
          } as Method,
      ),
  },
  {
    bug: 'a resource is closed twice',
    scenario,
    violates: ['closed exactly once', 'closed what was opened'],
    plant: (put) =>
      put(
        OpenResources,
        'open',
        opening(({ close }) => ({
          close: async (...args) => {
            await close(...args);
            await close(...args);
          },
        })),
      ),
  },
  {
    bug: 'resources are not closed',
    scenario,
    violates: ['every resource is closed exactly once'],
    plant: (put) => put(OpenResources, 'close', () => async () => undefined),
  },
  {
    bug: 'the end of the tree takes as long as it takes',
    scenario,
    violates: ['ends within the deadline'],
    plant: (put) =>
      put(
        SystemOfActors,
        'shutdown',
        (original) =>
          async function (this: SystemOfActors, ...args: never[]) {
            await new Promise<void>((resolve) => this.host.timer(10_000, 'planted', resolve));
            return await Reflect.apply(original, this as never, args);
          } as Method,
      ),
  },
  {
    bug: 'the tree never ends',
    scenario,
    violates: ['liveness'],
    plant: (put) => put(SystemOfActors, 'shutdown', () => never),
  },
  {
    bug: 'each who stops it has a report of his own',
    scenario,
    violates: ['one end, one report'],
    plant: (put) =>
      put(
        OpenResources,
        'open',
        meddling((app) => {
          const stop = app.stop.bind(app);
          app.stop = async (reason) => ({ ...(await stop(reason)) });
        }),
      ),
  },
  {
    bug: 'it says that it is ready, whatever it does',
    scenario,
    violates: ['a stopping service is not ready'],
    plant: (put) =>
      put(
        OpenResources,
        'open',
        meddling((app) => {
          const health = app.health.bind(app);
          app.health = () => ({ ...health(), ready: true });
        }),
      ),
  },
  {
    bug: 'a boot hangs with its resource',
    scenario,
    violates: ['a boot settles'],
    plant: (put) => put(OpenResources, 'open', () => never),
  },
  {
    bug: 'the end of the root is not heard of',
    scenario,
    violates: ['a root that gave up ends the application'],
    plant: (put) => put(SystemOfActors, 'whenEnded', () => never),
  },
  {
    bug: 'whoever calls the dead is told nothing',
    scenario,
    violates: ['every call settles'],
    plant: (put) => {
      put(Call, 'refuse', nothing);
      put(Call, 'abandon', nothing);
    },
  },
  {
    bug: 'two reports of one subject are recovered side by side',
    scenario,
    violates: ['one recovery a subject'],
    plant: (put) =>
      put(
        EventStream,
        'emit',
        (original) =>
          function (this: never, type: string, data: object) {
            Reflect.apply(original, this, [type, data] as never);
            if (type === 'recovery.started')
              Reflect.apply(original, this, [type, { ...data, recovery: 'another' }] as never);
          } as Method,
      ),
  },
  {
    bug: 'workers cannot be ended',
    scenario,
    violates: ['no worker lives'],
    plant: (put) => {
      put(ScriptedPort, 'kill', nothing);
      put(ScriptedPort, 'close', nothing);
    },
  },
  {
    bug: 'a second incarnation is started beside the first',
    scenario,
    violates: ['at most one incarnation a place'],
    plant: (put) => put(SystemOfActors, 'launch', twice),
  },
  {
    bug: 'an end is not counted',
    scenario,
    violates: ['nothing is left'],
    plant: (put) => put(SystemOfActors, 'actorEnded', nothing),
  },
];
