// Docker's daemons, old and new: pulls by path and by registry-mirrors, containers of what was pulled, login, a push that mounts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { credentialsOf } from '../support/processes/breakwater.ts';
import { dockerKinds, startDocker } from '../support/processes/docker.ts';
import { enterSandbox, prepareSandbox } from '../support/processes/sandbox.ts';
import { setScene } from '../support/processes/scene.ts';

const skip = enterSandbox();
if (skip === undefined) prepareSandbox();

for (const kind of dockerKinds) {
  test(`${kind.name} pulls, runs, logs in and pushes.`, { skip }, async (t) => {
    const s = await setScene(t, { hubMirror: true });
    if (s === undefined) return;
    if (s.corpus.origin !== 'debian') return t.skip('the images hold no programs that run');
    const docker = await startDocker(t, kind, s.breakwater.hubMirrorUrl ?? '');
    if (docker === undefined) return;
    const run = (image: string): Promise<string> =>
      docker.run('run', '--rm', '--network', 'none', image, '/bin/busybox', 'id', '-u');

    // By path, of an index.
    const byPath = `${s.breakwater.host}/docker.io/library/busybox:1.36`;
    await docker.run('pull', '-q', byPath);
    assert.equal(await run(byPath), '0');

    // By the mirror, in Docker's own names.
    const { digest, blobs } = s.image('single');
    assert.match(await docker.run('pull', 'busybox:single'), new RegExp(digest));
    assert.equal(await run('busybox:single'), '0');
    assert.equal(s.front.count({ kind: 'blob', method: 'GET' }), blobs.length + 1);

    // Without a login no push; with one, a layer that is here is mounted, not sent.
    const pushed = `${s.breakwater.host}/team/app:1`;
    await docker.run('tag', byPath, pushed);
    assert.notEqual((await docker.try(['push', pushed])).code, 0);
    const { key, secret } = await credentialsOf(s.breakwater);
    const login = ['login', '-u', key, '--password-stdin', s.breakwater.host];
    assert.match((await docker.try(login, secret)).stdout, /Login Succeeded/);
    const output = await docker.run('push', pushed);
    assert.match(output, /Mounted from docker\.io\/library\/busybox/);
    await docker.run('rmi', '-f', pushed);
    await docker.run('pull', '-q', pushed);
    assert.equal(await run(pushed), '0');

    // Upstream is gone, and so is the image from the engine.
    await s.front.down();
    for (const image of [byPath, pushed, 'busybox:single']) await docker.run('rmi', '-f', image);
    for (const image of [byPath, 'busybox:single']) {
      await docker.run('pull', '-q', image);
      assert.equal(await run(image), '0');
    }
  });
}
