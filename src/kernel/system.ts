/** Contract draft; the kernel's author is filling this in. */
import type { Host } from '../base/host.ts';
import type { EventStream } from '../base/telemetry.ts';
import type { Spec } from './spec.ts';

export interface System {
  readonly host: Host;
  readonly events: EventStream;
  /** The handle of a spec that stands in this system. @throws ERR_SPEC_UNKNOWN */
  get<H>(spec: Spec<H>): H;
  /** Starts a spec at the root; resolves after its init. */
  start<H>(spec: Spec<H>): Promise<H>;
}
