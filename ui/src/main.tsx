// Starts the page.
import { render } from 'preact';
import { App } from './app';
import { followLink, startRouter } from './router';
import { applyTheme } from './settings';
import { listenForShortcuts } from './shortcuts';
import './styles/index.css';
import { hasPage, learnTier, tier } from './tier';

// Before the body exists, so that a chosen theme is there with the first pixel.
applyTheme();
startRouter();

document.addEventListener('DOMContentLoaded', () => {
  document.addEventListener('click', followLink);
  listenForShortcuts((path) => hasPage(tier.get(), path));
  void learnTier();
  render(<App />, document.getElementById('app') as HTMLElement);
});
