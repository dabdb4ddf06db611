// Builds dist/ (or, with --tests, the unit tests) from src/. The output depends on the sources and package-lock.json only.
import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(fileURLToPath(import.meta.url));
process.chdir(root);

const shared = {
  bundle: true,
  charset: 'utf8',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  legalComments: 'none', // licences.txt carries them whole
  logLevel: 'warning',
};

async function buildTests() {
  await rm('.test-build', { recursive: true, force: true });
  const entries = (await readdir('src', { recursive: true })).filter((name) => name.endsWith('.test.ts')).sort();
  await build({
    ...shared,
    entryPoints: entries.map((name) => ({
      in: join('src', name),
      out: name.replace(/\.ts$/, '').replaceAll('/', '.'),
    })),
    outdir: '.test-build',
    outExtension: { '.js': '.mjs' },
    format: 'esm',
    platform: 'node',
    target: 'node20',
  });
}

/** The packages whose code is in the bundle, from esbuild's list of inputs. */
function bundledPackages(metafile) {
  const names = Object.keys(metafile.inputs)
    .map((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1])
    .filter((name) => name !== undefined);
  return [...new Set(names)].sort();
}

async function licences(packages) {
  const texts = await Promise.all(
    packages.map(async (name) => {
      const folder = join('node_modules', name);
      const { version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
      const files = (await readdir(folder)).filter((file) => /^(licen[cs]e|notice)/i.test(file)).sort();
      if (files.length === 0) throw new Error(`${name} has no licence file`);
      const bodies = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
      return `${name} ${version} (${license})\n\n${bodies.map((body) => body.trim()).join('\n\n')}\n`;
    }),
  );
  return texts.join(`\n${'-'.repeat(80)}\n\n`);
}

async function buildDist() {
  await rm('dist', { recursive: true, force: true });
  await mkdir('dist');
  const result = await build({
    ...shared,
    entryPoints: { app: 'src/main.tsx' },
    outdir: 'dist',
    format: 'iife',
    target: ['chrome111', 'firefox115', 'safari16.4'],
    minify: true,
    define: { 'process.env.NODE_ENV': '"production"' },
    metafile: true,
  });
  let html = await readFile('src/index.html', 'utf8');
  // The server puts its external path into exactly this element.
  if (!html.includes('<base href="/">')) throw new Error('src/index.html lacks <base href="/">');
  // A digest in the query string makes a browser fetch a new bundle at once, whatever caching the server allows.
  for (const file of ['app.css', 'app.js']) {
    const digest = createHash('sha256')
      .update(await readFile(join('dist', file)))
      .digest('hex')
      .slice(0, 12);
    html = html.replace(`assets/${file}`, `assets/${file}?v=${digest}`);
  }
  await writeFile('dist/index.html', html);
  await writeFile('dist/licences.txt', await licences(bundledPackages(result.metafile)));
  for (const [path, output] of Object.entries(result.metafile.outputs)) {
    console.log(`${relative('.', path)}  ${(output.bytes / 1024).toFixed(0)} KiB`);
  }
}

await (process.argv.includes('--tests') ? buildTests() : buildDist());
