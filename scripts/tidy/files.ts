/** The rules about files as such: headers, names, and that tests lie where what they test lies. */
import { isWithin, type Rule, type Source, type Violation } from './source.ts';

/** A header shorter than this says nothing. */
const HEADER_CHARACTERS = 20;

/**
 * Tests state their facts in their names, and the files in a numbered example's folder are explained where they are used;
 * everything else says what it owns.
 */
const needsHeader = ({ path }: Source): boolean =>
  !path.endsWith('.test.ts') && !/^examples\/\d\d-[^/]+\//.test(path);

const headerOf = ({ ast }: Source): string => {
  const text = ast.text.replace(/^#!.*\n/, '').trimStart();
  return /^\/\*\*([\s\S]*?)\*\//.exec(text)?.[1] ?? /^(?:\/\/.*\n)+/.exec(text)?.[0] ?? '';
};

export const headers: Rule = ({ sources }) =>
  [...sources.values()]
    .filter((source) => needsHeader(source))
    .filter(
      (source) =>
        headerOf(source)
          .replace(/[\s*/]+/g, ' ')
          .trim().length < HEADER_CHARACTERS,
    )
    .map(({ path }) => ({
      file: path,
      line: 1,
      rule: 'headers',
      what: 'does not open with a header comment',
      fix: 'begin with /** what it owns, the invariant it keeps, what it does not do */',
    }));

/** Names that say nothing about what is inside, and so attract everything. */
const EMPTY_NAMES = /^(?:utils?|helpers?|common|misc|shared|lib|types)$/;
const EMPTY_ROLES = /(?:^|-)(?:manager|handler|helper|util)s?$/;
const KEBAB = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9-]+)*$/;
/** Python's own convention. */
const SNAKE = /^[a-z0-9_]+\.pyi?$/;
/** The same of a package's folder, which is a name in Python's programs. */
const PACKAGE = /^[a-z0-9_]+$/;
/** Names that other tools or readers look for. */
const GIVEN_NAMES = /^(?:README|CHANGELOG|LICENSE)(?:\.md)?$/;

const nameFault = (part: string, path: string): Pick<Violation, 'what' | 'fix'> | undefined => {
  const stem = part.replace(/\..*$/, '');
  if (EMPTY_NAMES.test(stem) || EMPTY_ROLES.test(stem))
    return { what: `the name ${part} says nothing`, fix: 'name it after the decision that it holds' };
  if (path.endsWith('.py') && PACKAGE.test(part)) return undefined;
  if (!KEBAB.test(part) && !SNAKE.test(part) && !GIVEN_NAMES.test(part))
    return { what: `the name ${part} is not kebab-case`, fix: 'write it in lower case with hyphens' };
  return undefined;
};

export const names: Rule = ({ paths }) =>
  paths.flatMap((path) =>
    path
      .split('/')
      .map((part) => nameFault(part, path))
      .filter((fault) => fault !== undefined)
      .slice(0, 1)
      .map((fault) => ({ file: path, line: 1, rule: 'names', ...fault })),
  );

const MIRRORS = [
  { folder: 'test', ending: '.test.ts' },
  { folder: 'property-tests', ending: '.prop.ts' },
];
/** What else is tested beside the folders of `src/`. */
const MIRRORED_FOLDERS = [
  'actors',
  'bench',
  'conformance',
  'docs',
  'examples',
  'otp',
  'scripts',
  'simulation',
];

export const mirroring: Rule = ({ paths }) => {
  const isMirrored = (folder: string): boolean =>
    MIRRORED_FOLDERS.includes(folder) || paths.some((path) => isWithin(path, `src/${folder}`));
  const fault = (file: string, what: string, fix: string): Violation => ({
    file,
    line: 1,
    rule: 'mirroring',
    what,
    fix,
  });
  return paths.flatMap((path) => {
    const kind = MIRRORS.find(({ ending }) => path.endsWith(ending));
    const [top = '', folder = '', ...rest] = path.split('/');
    if (kind !== undefined && top !== kind.folder)
      return [fault(path, `a ${kind.ending} lies in ${top}/`, `move it to ${kind.folder}/`)];
    if (kind === undefined || rest.length === 0 || isMirrored(folder)) return [];
    return [
      fault(path, `src/${folder}/ does not exist`, 'tests mirror src/: move it to the folder that it tests'),
    ];
  });
};

/** Every folder of the product has a folder of tests. */
export const untested: Rule = ({ paths }) => {
  const folders = new Set(
    paths.filter((path) => /^src\/[^/]+\/.*\.ts$/.test(path)).map((path) => path.split('/')[1] as string),
  );
  return [...folders]
    .filter((folder) => !paths.some((path) => isWithin(path, `test/${folder}`) && path.endsWith('.test.ts')))
    .map((folder) => ({
      file: `src/${folder}`,
      line: 1,
      rule: 'untested',
      what: `test/${folder}/ has no test`,
      fix: 'write one for each rule that the folder keeps',
    }));
};
