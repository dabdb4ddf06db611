// Colours of curves: told apart next to each other, and at least 3:1 against the background of either theme.

const LIGHT: readonly string[] = [
  '#0b6e8a',
  '#d1490b',
  '#7c3aed',
  '#2f7d32',
  '#c2185b',
  '#1d4ed8',
  '#9a6700',
  '#6b7280',
  '#a21caf',
  '#0f8a76',
  '#b91c1c',
  '#4f46b8',
  '#5f7a0c',
  '#7a4a2b',
  '#0369a1',
  '#8b3a6b',
];
const DARK: readonly string[] = [
  '#4cc3e0',
  '#ff9457',
  '#b79bff',
  '#74cf7a',
  '#ff86b6',
  '#7fa8ff',
  '#f0c14b',
  '#b6c2cd',
  '#e58bf0',
  '#43d3b8',
  '#ff8a80',
  '#a5a8ff',
  '#c0d65c',
  '#d6a98a',
  '#6cc4ff',
  '#e39ac0',
];

/** The colour of the `index`-th curve; they repeat after sixteen. */
export function seriesColour(index: number, theme: 'light' | 'dark'): string {
  const colours = theme === 'dark' ? DARK : LIGHT;
  return colours[index % colours.length] as string;
}
