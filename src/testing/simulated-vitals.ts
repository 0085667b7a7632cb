/**
 * What a simulated OS process holds: whatever the test says.
 *
 * Invariant: each reading is what the script says at that instant; one that is a function is asked each time, so that it may hang,
 * fail or change. Nothing is read of the process that the test runs in.
 */
import type { ChildrenVitals, DescriptorVitals, DiskVitals, MemoryVitals, Vitals } from '../base/vitals.ts';

const GIB = 2 ** 30;

export class SimulatedVitals implements Vitals {
  memoryNow: MemoryVitals = {
    heapUsedBytes: GIB / 8,
    heapLimitBytes: 4 * GIB,
    residentBytes: GIB / 4,
    residentLimitBytes: 4 * GIB,
  };
  diskNow: DiskVitals | (() => Promise<DiskVitals>) = { totalBytes: 100 * GIB, freeBytes: 50 * GIB };
  descriptorsNow: DescriptorVitals | undefined | (() => Promise<DescriptorVitals | undefined>) = {
    open: 20,
    limit: 1_024,
  };
  childrenNow: ChildrenVitals | undefined | (() => Promise<ChildrenVitals | undefined>) = {
    living: 0,
    zombies: 0,
  };

  memory(): MemoryVitals {
    return this.memoryNow;
  }

  async disk(_path: string): Promise<DiskVitals> {
    const { diskNow } = this;
    return typeof diskNow === 'function' ? diskNow() : diskNow;
  }

  async descriptors(): Promise<DescriptorVitals | undefined> {
    const { descriptorsNow } = this;
    return typeof descriptorsNow === 'function' ? descriptorsNow() : descriptorsNow;
  }

  async children(): Promise<ChildrenVitals | undefined> {
    const { childrenNow } = this;
    return typeof childrenNow === 'function' ? childrenNow() : childrenNow;
  }
}
