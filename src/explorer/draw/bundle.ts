/**
 * Makes of a user's TypeScript file one that this Node can import, by esbuild, an optional peer.
 *
 * Invariants: packages are left where they are and are found from the file that names them, so that its xstate and troupe are the
 * project's; each source keeps its own `import.meta.url`. Nothing is written into the project.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createError, isTroupeError } from '../../base/errors.ts';
import { loadPeer } from './peer.ts';

/** A file that can be imported, until it is let go of. */
export interface Importable {
  readonly url: string;
  release(): void;
}

interface Loading {
  readonly filter: RegExp;
  readonly namespace?: string;
}
interface Resolving {
  readonly path: string;
  readonly kind: string;
  readonly resolveDir: string;
  readonly importer: string;
  readonly pluginData?: unknown;
}
interface Resolved {
  readonly path: string;
  readonly external?: boolean;
  readonly errors?: readonly unknown[];
}
interface BuildHooks {
  resolve(path: string, options: Readonly<Record<string, unknown>>): Promise<Resolved>;
  onResolve(options: Loading, resolve: (wanted: Resolving) => Promise<Resolved | undefined>): void;
  onLoad(
    options: Loading,
    load: (file: {
      readonly path: string;
    }) => { readonly contents: string; readonly loader: string } | undefined,
  ): void;
}
interface Esbuild {
  build(options: Readonly<Record<string, unknown>>): Promise<unknown>;
}

/** What Node imports as it is. */
const PLAIN = new Set(['.js', '.mjs', '.cjs']);
const LOADERS: Readonly<Record<string, string>> = {
  '.ts': 'ts',
  '.mts': 'ts',
  '.cts': 'ts',
  '.tsx': 'tsx',
  '.jsx': 'jsx',
  '.js': 'js',
  '.mjs': 'js',
};

/** Names that esbuild puts in the place of what a source knows of itself. */
const OWN_URL = '__troupe_source_url';
const OWN_FILE = '__troupe_source_file';
const OWN_FOLDER = '__troupe_source_folder';
/** For sources that require. */
const REQUIRE =
  "import { createRequire as __troupe_require } from 'node:module'; const require = __troupe_require(import.meta.url);";

/** Each source says on its first line what it would know of itself, had it not been bundled. */
const keepSources = ({ onLoad }: BuildHooks): void =>
  onLoad({ filter: /\.([cm]?ts|tsx|jsx|m?js)$/, namespace: 'file' }, ({ path }) => {
    const loader = LOADERS[extname(path)];
    if (loader === undefined) return undefined;
    const facts = { [OWN_URL]: pathToFileURL(path).href, [OWN_FILE]: path, [OWN_FOLDER]: dirname(path) };
    const first = Object.entries(facts).map(([name, value]) => `const ${name}=${JSON.stringify(value)};`);
    return { contents: `${first.join('')}${readFileSync(path, 'utf8').replace(/^#!.*/, '')}`, loader };
  });

const ASKED = Symbol('asked already');

/** What lies among packages is named by where it lies; what an alias or a workspace leads to is a source. */
const keepPackages = ({ resolve, onResolve }: BuildHooks): void =>
  onResolve({ filter: /^[^./]/ }, async ({ path, kind, resolveDir, importer, pluginData }) => {
    if (pluginData === ASKED || kind === 'entry-point' || isBuiltin(path)) return undefined;
    const found = await resolve(path, { kind, resolveDir, importer, pluginData: ASKED });
    if ((found.errors?.length ?? 0) > 0) return { path, external: true };
    if (!/[\\/]node_modules[\\/]/.test(found.path)) return undefined;
    const isImport = !kind.startsWith('require');
    return { path: isImport ? pathToFileURL(found.path).href : found.path, external: true };
  });

const keeping = {
  name: 'troupe-draw',
  setup: (hooks: BuildHooks): void => {
    keepSources(hooks);
    keepPackages(hooks);
  },
};

const buildTo = async (outfile: string, file: string): Promise<void> => {
  const peer = await loadPeer({ peer: 'esbuild', feature: `reading ${file}`, from: file });
  const { build } = (peer['build'] === undefined ? peer['default'] : peer) as unknown as Esbuild;
  await build({
    entryPoints: [file],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    banner: { js: REQUIRE },
    sourcemap: 'inline',
    logLevel: 'silent',
    define: {
      'import.meta.url': OWN_URL,
      'import.meta.filename': OWN_FILE,
      'import.meta.dirname': OWN_FOLDER,
      __filename: OWN_FILE,
      __dirname: OWN_FOLDER,
    },
    plugins: [keeping],
  });
};

/** Makes a file importable. @throws ERR_PEER_MISSING, ERR_DRAWING_FAILED */
export const importable = async (file: string): Promise<Importable> => {
  if (!existsSync(file)) throw createError('ERR_DRAWING_FAILED', { file, why: 'there is no such file' });
  if (PLAIN.has(extname(file))) return { url: pathToFileURL(file).href, release: () => undefined };
  let folder: string | undefined;
  const release = (): void => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  };
  try {
    folder = mkdtempSync(join(tmpdir(), 'troupe-draw-'));
    const outfile = join(folder, 'bundle.mjs');
    await buildTo(outfile, file);
    return { url: pathToFileURL(outfile).href, release };
  } catch (error) {
    release();
    if (isTroupeError(error)) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw createError('ERR_DRAWING_FAILED', { file, why }, { cause: error });
  }
};
