// The frame round every page: header, navigation, and the page that the address names.
import type { ComponentType } from 'preact';
import { useEffect } from 'preact/hooks';
import { Help } from './help';
import { AlertsPage } from './pages/alerts';
import { HierarchyPage } from './pages/hierarchy';
import { QueryPage } from './pages/query';
import { RulesPage } from './pages/rules';
import { ShardingPage } from './pages/sharding';
import { StatusPage } from './pages/status';
import { TargetsPage } from './pages/targets';
import { Empty } from './parts/status';
import { href, location } from './router';
import { type Theme, theme, zone } from './settings';
import { helpOpen } from './shortcuts';
import { useStore } from './store';
import { hasPage, tier } from './tier';

interface Page {
  path: string;
  label: string;
  view: ComponentType;
  /** The page that leads here, where there is anything to see; it stands for this one in the navigation. */
  under?: string;
}

const PAGES: readonly Page[] = [
  { path: 'query', label: 'Query', view: QueryPage },
  { path: 'alerts', label: 'Alerts', view: AlertsPage },
  { path: 'targets', label: 'Targets', view: TargetsPage },
  { path: 'rules', label: 'Rules', view: RulesPage },
  { path: 'hierarchy', label: 'Hierarchy', view: HierarchyPage },
  { path: 'sharding', label: 'Sharding', view: ShardingPage, under: 'targets' },
  { path: 'status', label: 'Status', view: StatusPage },
];

export function App() {
  const { path } = useStore(location);
  const ownTier = useStore(tier);
  const page = PAGES.find((each) => each.path === path);
  const pages = PAGES.filter(({ path, under }) => !under && hasPage(ownTier, path));
  useEffect(() => {
    if (page && page.path !== 'query') document.title = `${page.label} · Watershed`;
    window.scrollTo(0, 0);
  }, [path]);
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          document.getElementById('main')?.focus();
        }}
      >
        Skip to content
      </a>
      <header class="top-bar">
        <a class="brand" href={href(pages[0]?.path ?? 'query')} data-route>
          <svg width="22" height="22" viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="7" />
            <path d="M7 7l9 10L25 7M16 17v9" />
          </svg>
          Watershed
        </a>
        {ownTier && (
          <span class="tier" title={`This node’s tier: ${ownTier}`}>
            {ownTier}
          </span>
        )}
        <nav aria-label="Pages">
          {pages.map((each) => (
            <a
              key={each.path}
              href={href(each.path)}
              data-route
              data-testid={`nav-${each.path}`}
              aria-current={each.path === path ? 'page' : each.path === page?.under ? 'true' : undefined}
            >
              {each.label}
            </a>
          ))}
        </nav>
        <Settings />
      </header>
      <main id="main" tabIndex={-1}>
        {page ? <PageView page={page} ownTier={ownTier} /> : <NotFound path={path} />}
      </main>
      <Help tier={ownTier} />
    </>
  );
}

function PageView({ page, ownTier }: { page: Page; ownTier: string }) {
  if (ownTier !== '' && !hasPage(ownTier, page.path)) {
    const title = ownTier === 'agent' ? 'An agent scrapes and hands on' : 'Only a global has a hierarchy';
    return (
      <Empty title={title}>
        <p>
          This node is {ownTier === 'agent' ? 'an agent' : `a ${ownTier}`}. Open this page on a global that pulls from
          it.
        </p>
      </Empty>
    );
  }
  const View = page.view;
  return <View key={page.path} />;
}

function NotFound({ path }: { path: string }) {
  return (
    <Empty title="There is no such page">
      <p>
        <code>/{path}</code> is none of this node’s pages.{' '}
        <a href={href('query')} data-route>
          Go to Query
        </a>
      </p>
    </Empty>
  );
}

const NEXT_THEME: Readonly<Record<Theme, Theme>> = { auto: 'light', light: 'dark', dark: 'auto' };

function Settings() {
  const chosenTheme = useStore(theme);
  const chosenZone = useStore(zone);
  return (
    <div class="settings">
      <button
        type="button"
        class="button quiet"
        title="Time zone of all times shown"
        aria-label={`Times in ${chosenZone === 'utc' ? 'UTC' : 'local time'}; change`}
        onClick={() => zone.set(chosenZone === 'utc' ? 'local' : 'utc')}
      >
        {chosenZone === 'utc' ? 'UTC' : 'Local'}
      </button>
      <button
        type="button"
        class="button quiet"
        data-testid="theme"
        title="Theme: auto, light, dark"
        aria-label={`Theme: ${chosenTheme}; change`}
        onClick={() => theme.set(NEXT_THEME[chosenTheme])}
      >
        <ThemeMark theme={chosenTheme} />
        <span class="wide-only">{chosenTheme}</span>
      </button>
      <button
        type="button"
        class="button quiet"
        title="Keyboard shortcuts (?)"
        aria-label="Keyboard shortcuts"
        onClick={() => helpOpen.set(true)}
      >
        ?
      </button>
    </div>
  );
}

function ThemeMark({ theme: shown }: { theme: Theme }) {
  const fill = { auto: 'M8 2a6 6 0 0 1 0 12z', light: '', dark: 'M8 2a6 6 0 0 1 0 12a6 6 0 0 1 0-12z' }[shown];
  return (
    <svg width="14" height="14" viewBox="0 0 16 16" aria-hidden="true">
      <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="1.6" />
      {fill && <path d={fill} fill="currentColor" />}
    </svg>
  );
}
