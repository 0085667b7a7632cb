/**
 * What tests run inside the page. Each function is sent to the browser as its own text: it may use nothing from outside itself but what
 * a browser has, of which as much is declared here as is used.
 */

interface PageElement {
  readonly textContent: string | null;
  readonly outerHTML: string;
  readonly className: string;
  readonly dataset: Readonly<Record<string, string | undefined>>;
  readonly parentElement: PageElement | null;
  readonly childNodes: Iterable<{ readonly nodeType: number; readonly textContent: string | null }>;
  scrollTop: number;
  value: string;
  getAttribute(name: string): string | null;
  querySelectorAll(selector: string): Iterable<PageElement>;
  closest(selector: string): PageElement | null;
  dispatchEvent(event: Event): boolean;
}
declare const document: {
  readonly body: PageElement;
  querySelector(selector: string): PageElement | null;
  querySelectorAll(selector: string): Iterable<PageElement>;
};
declare const getComputedStyle: (element: PageElement) => {
  readonly color: string;
  readonly backgroundColor: string;
};
declare const MutationObserver: new (
  changed: () => void,
) => { observe(root: PageElement, what: Readonly<Record<string, boolean>>): void };
declare const requestAnimationFrame: (frame: () => void) => void;

/** Controls and pictures without a word for who cannot see them. */
export const namelessControls = (): readonly string[] => {
  const named = (element: PageElement): boolean =>
    [element, ...element.querySelectorAll('[aria-label]')].some(
      (one) => `${one.getAttribute('aria-label') ?? ''}${one.getAttribute('title') ?? ''}`.trim() !== '',
    ) || element.textContent?.trim() !== '';
  return [...document.querySelectorAll('button, a, [role="img"], select, input')]
    .filter((one) => !named(one) && one.closest('label') === null)
    .map((one) => one.outerHTML.slice(0, 120));
};

/** Words whose contrast with what is behind them is less than WCAG 2.2 asks for (1.4.3, AA: 4.5 to 1). */
export const paleWords = (): readonly string[] => {
  const channels = (colour: string): readonly number[] => (colour.match(/[\d.]+/g) ?? []).map(Number);
  const light = (colour: string): number => {
    const [r = 0, g = 0, b = 0] = channels(colour).map((one) => {
      const part = one / 255;
      return part <= 0.040_45 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element: PageElement | null): string => {
    if (element === null) return 'rgb(255,255,255)';
    const { backgroundColor } = getComputedStyle(element);
    const [, , , alpha = 1] = channels(backgroundColor);
    return alpha === 0 ? behind(element.parentElement) : backgroundColor;
  };
  const hasWords = (one: PageElement): boolean =>
    [...one.childNodes].some(({ nodeType, textContent }) => nodeType === 3 && textContent?.trim() !== '');
  return [...document.querySelectorAll('#page *')]
    .filter((one) => hasWords(one) && one.closest('svg') === null)
    .flatMap((one) => {
      const a = light(getComputedStyle(one).color);
      const b = light(behind(one));
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      return contrast >= 4.5 ? [] : [`${contrast.toFixed(2)} ${one.className} ${one.textContent}`];
    });
};

/** From a scroll of the tree to a row there, the last blank one gone, ms. */
export const scrollTo = ([row, wanted]: readonly [row: number, wanted: string]): Promise<number> =>
  new Promise((resolve) => {
    const body = document.querySelector('.rows') as PageElement;
    const began = performance.now();
    body.scrollTop = row * 28;
    const look = (): void => {
      const isHere = document.querySelector(`.row[data-path="${wanted}"]`) !== null;
      if (isHere && document.querySelector('.row.blank') === null) resolve(performance.now() - began);
      else requestAnimationFrame(look);
    };
    look();
  });

/** From the last letter of a search to its one match, and nothing else of its kind, ms. */
export const searchFor = ([query, wanted]: readonly [query: string, wanted: string]): Promise<number> =>
  new Promise((resolve) => {
    const field = document.querySelector('#search') as PageElement;
    const began = performance.now();
    field.value = query;
    field.dispatchEvent(new Event('input', { bubbles: true }));
    const look = (): void => {
      const rows = [...document.querySelectorAll('.row.actor')].map(({ dataset }) => dataset['path']);
      const found = rows.filter((path) => path?.includes('guest-') === true);
      if (found.length === 1 && found[0] === wanted) resolve(performance.now() - began);
      else requestAnimationFrame(look);
    };
    look();
  });

/** Which of a breaker's states its chart shows as active. */
export const stateOfBreaker = (): string | undefined =>
  [...document.querySelectorAll('.state.active')]
    .map((state) => state.getAttribute('data-state')?.split('.').at(-1) ?? '')
    .find((state) => ['closed', 'open', 'half_open'].includes(state));

/** What was to be seen of a breaker's chart and of a pool's workers. */
export interface Watched {
  readonly states: string[];
  flashes: number;
  tombstones: number;
}

/** Notes it from now on, as `seen`. `workers`: how the paths of their rows begin. */
export const watchFaults = (workers: string): void => {
  const seen: Watched = { states: [], flashes: 0, tombstones: 0 };
  Object.assign(globalThis, { seen });
  const rows = `.row[data-path^="${workers}"]`;
  const look = (): void => {
    const active = [...document.querySelectorAll('.state.active')]
      .map((state) => state.getAttribute('data-state')?.split('.').at(-1) ?? '')
      .find((state) => ['closed', 'open', 'half_open'].includes(state));
    if (active !== undefined && active !== seen.states.at(-1)) seen.states.push(active);
    if (document.querySelector(`${rows} .flash`) !== null) seen.flashes += 1;
    if (document.querySelector(`${rows}.tombstone`) !== null) seen.tombstones += 1;
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
  look();
};

/** What has been noted so far. */
export const seenSoFar = (): Watched => (globalThis as unknown as { readonly seen: Watched }).seen;
