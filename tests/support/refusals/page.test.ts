import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { causes } from './causes.ts';
import { pageFile } from './compare.ts';
import { renderPage } from './page.ts';
import { clientNames, essenceOf, readPrinted } from './printed.ts';
import type { ClientName } from './printed.ts';

test('docs/troubleshooting.md is made of what the clients printed', () => {
  assert.equal(readFileSync(pageFile, 'utf8'), renderPage());
});

test('every cause was met by a client, and what no client meets any more is gone', () => {
  const met = new Set(
    Object.keys(clientNames).flatMap((client) => Object.keys(readPrinted(client as ClientName))),
  );
  assert.deepEqual([...met].toSorted(), causes.map(({ id }) => id).toSorted());
});

for (const [client, output, essence] of [
  [
    'ctr',
    'time="x" level=info msg="trying next host"\nctr: not found\nmore',
    'ctr: not found\nmore',
  ],
  ['kubelet', 'E1129 x\ntime="x" level=error msg="a \\"b\\"\\nc"', 'a "b"\nc'],
  [
    'containerd-log',
    'time="x" level=info msg="trying next host" error="no route" host="h"\n',
    'trying next host: no route',
  ],
  [
    'containerd-log',
    'level=info msg="fetch failed after status: 404 Not Found: x"',
    'fetch failed after status: 404 Not Found: x',
  ],
  [
    'crane',
    'TIME retrying EOF\nError: GET x: DENIED: no; map[a:b c:map[]]\n',
    'Error: GET x: DENIED: no',
  ],
  [
    'crane',
    'Error: Get "https://x/v2/": tls: x509: unknown; Get "http://x/v2/": EOF',
    'Error: Get "https://x/v2/": tls: x509: unknown',
  ],
] as const)
  test(`of what ${client} prints stays ${JSON.stringify(essence)}`, () => {
    assert.equal(essenceOf[client](output), essence);
  });
