// Starts the page.
import { render } from 'preact';
import { App } from './app';
import { followLink, startRouter } from './router';
import { applyTheme } from './settings';
import { listenForShortcuts } from './shortcuts';
import './styles/index.css';
import { learnTier, tier } from './tier';

// Before the body exists, so that a chosen theme is there with the first pixel.
applyTheme();
startRouter();

document.addEventListener('DOMContentLoaded', () => {
  document.addEventListener('click', followLink);
  listenForShortcuts((path) => path !== 'hierarchy' || tier.get() === 'global');
  void learnTier();
  render(<App />, document.getElementById('app') as HTMLElement);
});
