/**
 * The resource limits of a session's process. Node cannot set them for itself: `prlimit` (util-linux) does, on Linux. Memory is
 * bounded by how the process is launched (`--max-old-space-size`), since a limit on its address space keeps V8 from running at all.
 */
import { execFileSync } from 'node:child_process';
import process from 'node:process';

export interface ResourceLimits {
  /** Seconds of processor time, beyond those already used. */
  readonly cpuS?: number;
  readonly memoryBytes?: number;
  readonly processes?: number;
  readonly openFiles?: number;
  readonly fileBytes?: number;
}

/** How long setting them may take, ms. */
const PATIENCE_MS = 5_000;
/** After SIGXCPU, which a program may ignore, the system kills: this many seconds later. */
const CPU_GRACE_S = 2;

/** Sets what can be set, and returns the names of what cannot. */
export const applyLimits = (limits: ResourceLimits): readonly string[] => {
  const { cpuS, memoryBytes, processes, openFiles, fileBytes } = limits;
  const missing = memoryBytes === undefined ? [] : ['memoryBytes'];
  const wanted: [name: string, argument: string][] = [];
  if (cpuS !== undefined) {
    const soft = Math.ceil(cpuS + process.cpuUsage().user / 1e6);
    wanted.push(['cpuS', `--cpu=${soft}:${soft + CPU_GRACE_S}`]);
  }
  if (processes !== undefined) wanted.push(['processes', `--nproc=${processes}`]);
  if (openFiles !== undefined) wanted.push(['openFiles', `--nofile=${openFiles}`]);
  if (fileBytes !== undefined) wanted.push(['fileBytes', `--fsize=${fileBytes}`]);
  if (wanted.length === 0) return missing;
  try {
    const options = { stdio: 'ignore', timeout: PATIENCE_MS } as const;
    execFileSync(
      'prlimit',
      ['--pid', String(process.pid), ...wanted.map(([, argument]) => argument)],
      options,
    );
    return missing;
  } catch {
    return [...missing, ...wanted.map(([name]) => name)];
  }
};
