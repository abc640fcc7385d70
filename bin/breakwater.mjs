#!/usr/bin/env node
// The command line from a checkout: `bin/breakwater.mjs explain docker.io/library/nginx`.
import { fileURLToPath } from 'node:url';

process.argv.splice(1, 1, fileURLToPath(new URL('../scripts/start.mjs', import.meta.url)), 'src/main.ts');
await import('../scripts/start.mjs');
