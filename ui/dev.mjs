// A server to look at the pages with: dist/ as a node serves it, api/ passed on to a node. Standard library only.
//
//   node dev.mjs [--node http://127.0.0.1:9090] [--port 5173] [--prefix /mon/] [--hierarchy FILE]
//
// With --hierarchy, api/v1/hierarchy answers with that file and the node calls itself a global.
import { createServer, request } from 'node:http';
import { readFile } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    node: { type: 'string', default: 'http://127.0.0.1:9090' },
    port: { type: 'string', default: '5173' },
    prefix: { type: 'string', default: '/' },
    hierarchy: { type: 'string' },
  },
});
const dist = join(dirname(fileURLToPath(import.meta.url)), 'dist');
const TYPES = { '.js': 'text/javascript', '.css': 'text/css', '.html': 'text/html', '.txt': 'text/plain' };
const PAGES = new Set(['query', 'alerts', 'targets', 'rules', 'hierarchy', 'status']);

function send(response, status, type, body, headers = {}) {
  response.writeHead(status, { 'content-type': `${type}; charset=utf-8`, 'cache-control': 'no-cache', ...headers });
  response.end(body);
}

function passOn(incoming, response, path) {
  const target = new URL(path, options.node);
  const outgoing = request(
    target,
    { method: incoming.method, headers: { ...incoming.headers, host: target.host } },
    (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    },
  );
  outgoing.on('error', (error) => send(response, 502, 'text/plain', `${options.node}: ${error.message}\n`));
  incoming.pipe(outgoing);
}

async function buildInfoOfGlobal(response) {
  const answer = await fetch(new URL('/api/v1/status/buildinfo', options.node));
  const body = await answer.json();
  send(response, 200, 'application/json', JSON.stringify({ ...body, data: { ...body.data, tier: 'global' } }));
}

async function handle(incoming, response) {
  const url = new URL(incoming.url ?? '/', 'http://dev');
  if (!url.pathname.startsWith(options.prefix)) return send(response, 404, 'text/plain', 'outside the prefix\n');
  const path = url.pathname.slice(options.prefix.length);
  if (options.hierarchy && path === 'api/v1/hierarchy') {
    return send(response, 200, 'application/json', await readFile(options.hierarchy));
  }
  if (options.hierarchy && path === 'api/v1/status/buildinfo') return buildInfoOfGlobal(response);
  if (path.startsWith('api/')) return passOn(incoming, response, `/${path}${url.search}`);
  if (path === '' || path === 'graph') {
    return send(response, 302, 'text/plain', '', { location: `${options.prefix}query${url.search}` });
  }
  const asset = /^assets\/([\w.-]+)$/.exec(path)?.[1];
  if (asset)
    return send(response, 200, TYPES[extname(asset)] ?? 'application/octet-stream', await readFile(join(dist, asset)));
  if (!PAGES.has(path.replace(/\/$/, ''))) return send(response, 404, 'text/plain', 'no such page\n');
  const html = await readFile(join(dist, 'index.html'), 'utf8');
  return send(response, 200, 'text/html', html.replace('<base href="/">', `<base href="${options.prefix}">`));
}

createServer((incoming, response) => {
  handle(incoming, response).catch((error) =>
    send(response, error.code === 'ENOENT' ? 404 : 502, 'text/plain', `${error.message}\n`),
  );
}).listen(Number(options.port), '127.0.0.1', () =>
  console.log(`http://127.0.0.1:${options.port}${options.prefix}query → ${options.node}`),
);
