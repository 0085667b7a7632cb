/** Light or dark: as the system says, until somebody chooses. */
import { signal } from '@preact/signals';

export type Theme = 'auto' | 'light' | 'dark';

const KEY = 'troupe.theme';
const ORDER: readonly Theme[] = ['auto', 'light', 'dark'];

const remembered = (): Theme => {
  const known = localStorage.getItem(KEY);
  return ORDER.includes(known as Theme) ? (known as Theme) : 'auto';
};

export const theme = signal<Theme>(remembered());

export const applyTheme = (): void => {
  document.documentElement.dataset['theme'] = theme.value;
};

export const nextTheme = (): void => {
  theme.value = ORDER[(ORDER.indexOf(theme.value) + 1) % ORDER.length] ?? 'auto';
  localStorage.setItem(KEY, theme.value);
  applyTheme();
};
