/**
 * The page and its assets, as they ship with the package: the one module that knows where they lie, in the sources and in the
 * built package.
 *
 * Invariant: read once, from one flat folder, by the names that are in it; no path of a request ever reaches the file system.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** Where the built page can lie, as seen from this file: beside a chunk in `dist/`, and from `src/explorer/`. */
const FOLDERS = ['./explorer-page/', '../../dist/explorer-page/'];
const MANIFESTS = ['../package.json', '../../package.json'];

const KINDS: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  json: 'application/json',
  woff2: 'font/woff2',
  png: 'image/png',
};

export interface Asset {
  readonly kind: string;
  readonly bytes: Uint8Array;
}

const PLACEHOLDER = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>troupe explorer</title>
<h1>troupe explorer</h1>
<p>This copy of troupe was built without its page. Its protocol is served: see
<code>api/v1/hello</code>, or run
<code>npx troupe top</code>.</p></html>
`;

let loaded: ReadonlyMap<string, Asset> | undefined;

const load = (): ReadonlyMap<string, Asset> => {
  const assets = new Map<string, Asset>();
  const folder = FOLDERS.map((path) => new URL(path, import.meta.url)).find((url) => existsSync(url));
  for (const name of folder === undefined ? [] : readdirSync(folder)) {
    const kind = KINDS[name.slice(name.lastIndexOf('.') + 1)];
    if (kind !== undefined) assets.set(name, { kind, bytes: readFileSync(new URL(name, folder)) });
  }
  if (!assets.has('index.html'))
    assets.set('index.html', { kind: KINDS['html'] as string, bytes: new TextEncoder().encode(PLACEHOLDER) });
  return assets;
};

/** The asset of a name; `index.html` is always there. */
export const assetNamed = (name: string): Asset | undefined => {
  loaded ??= load();
  return loaded.get(name);
};

/** troupe's own version. */
export const troupeVersion = (): string => {
  for (const path of MANIFESTS) {
    const url = new URL(path, import.meta.url);
    if (!existsSync(url)) continue;
    const { name, version } = JSON.parse(readFileSync(url, 'utf8')) as { name?: unknown; version?: unknown };
    if (name === 'troupe' && typeof version === 'string') return version;
  }
  return 'unknown';
};
