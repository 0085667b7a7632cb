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
