/** What this OS process holds and what is left of it: a port of the host. Types only. */

export interface MemoryVitals {
  readonly heapUsedBytes: number;
  /** V8's limit: beyond it the process aborts. */
  readonly heapLimitBytes: number;
  readonly residentBytes: number;
  /** What the OS, or the container, lets it have; `undefined` where nothing says so. */
  readonly residentLimitBytes: number | undefined;
}

export interface DiskVitals {
  readonly totalBytes: number;
  /** What this process may still write. */
  readonly freeBytes: number;
}

export interface DescriptorVitals {
  readonly open: number;
  readonly limit: number | undefined;
}

export interface ChildrenVitals {
  readonly living: number;
  /** Ended, and not waited for by this process. */
  readonly zombies: number;
}

/** None of it blocks: what has to be asked of the OS is answered later. `undefined`: it cannot be known here. */
export interface Vitals {
  memory(): MemoryVitals;
  /** Of the file system that has this path. Rejects where there is none. */
  disk(path: string): Promise<DiskVitals>;
  descriptors(): Promise<DescriptorVitals | undefined>;
  /** OS processes that are its own children. */
  children(): Promise<ChildrenVitals | undefined>;
}
