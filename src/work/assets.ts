/**
 * Locates the files that ship beside the code and are not JavaScript: the one module that knows where they
 * are, both in the sources and in the built package (`tsup.config.ts` copies them).
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * Where the Python SDK can lie, as seen from this file: in `src/work/`, and in `dist/` (in a chunk or an
 * entry).
 */
const PYTHON_FOLDERS = ['./sdk/', './python/'];
const PYTHON_SDK = 'troupe_worker.py';

/** The kernels of sessions, as seen from this file: in the sources (the JavaScript one from what was built), and in the package. */
const SESSION_KERNELS = {
  python: ['../execution/kernels/python/session_kernel.py', './python/session_kernel.py'],
  javascript: ['./session-kernel.js', '../../dist/session-kernel.js'],
} as const;

/**
 * The SDK for Node as a thread loads it: beside this in the built package; from the sources, in what was built from them.
 */
const NODE_SDKS = ['./worker.js', '../../dist/worker.js'];

/**
 * The URL of `troupe/worker`, for code that has no place of its own from which to find the package.
 *
 * @throws Error when the package is incomplete.
 */
export const nodeSdkUrl = (): string => {
  for (const file of NODE_SDKS) {
    const url = new URL(file, import.meta.url);
    if (existsSync(url)) return url.href;
  }
  throw new Error(`troupe: worker.js is missing beside ${import.meta.url}; reinstall the package`);
};

/**
 * The file that a session of a language runs, for `childProcess({ module })`; `undefined` when the package is incomplete.
 */
export const sessionKernelFile = (language: keyof typeof SESSION_KERNELS): string | undefined => {
  const urls = SESSION_KERNELS[language].map((file) => new URL(file, import.meta.url));
  const found = urls.find((url) => existsSync(url));
  return found === undefined ? undefined : fileURLToPath(found);
};

/**
 * The folder to put on PYTHONPATH so that `import troupe_worker` works.
 *
 * @throws Error when the package is incomplete.
 */
export const pythonSdkFolder = (): string => {
  for (const folder of PYTHON_FOLDERS) {
    if (existsSync(new URL(folder + PYTHON_SDK, import.meta.url))) {
      return fileURLToPath(new URL(folder, import.meta.url)).replace(/[\\/]$/, '');
    }
  }
  throw new Error(`troupe: ${PYTHON_SDK} is missing beside ${import.meta.url}; reinstall the package`);
};
