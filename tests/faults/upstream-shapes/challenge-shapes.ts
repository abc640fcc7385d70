import type { Answer, Asked, ScriptedRegistry } from '../../support/upstreams/scripted-registry.ts';
import type { UpstreamShape } from './shape.ts';

const all = { crane: 'right', skopeo: 'right', regctl: 'right', containerd: 'right' } as const;

const pullOf = (repository: string): string => `repository:${repository}:pull`;

interface Guard {
  /** What the registry asks for; the pull of the repository by default. */
  readonly challenge?: (realm: string, asked: Asked) => string;
  /** Of the token service, which gives a token of the scopes that it is asked for by default. */
  readonly token?: (issued: Record<string, unknown>, asked: Asked) => Answer;
  /** Another host name of the same registry: its token service is there too. */
  readonly realmHost?: string;
  /** Whether the token is taken. */
  readonly takes?: (scopes: readonly string[], asked: Asked) => boolean;
}

const bearer = (realm: string, { repository }: Asked): string =>
  `Bearer realm="${realm}",service="shapes",scope="${pullOf(repository)}"`;

/** Every request of the API needs a token that holds the pull of its repository; `/token` gives it to anyone. */
function guard(registry: ScriptedRegistry, over: Guard = {}): void {
  const { challenge = bearer, token = (body: object) => ({ body }), realmHost } = over;
  const {
    takes = (scopes: readonly string[], { repository }: Asked) =>
      scopes.includes(pullOf(repository)),
  } = over;
  registry.answer = (asked) => {
    if (asked.path.startsWith('/token')) {
      const scopes = asked.query.getAll('scope').flatMap((scope) => scope.split(' '));
      return token({ token: Buffer.from(scopes.join(' ') || 'none').toString('base64url') }, asked);
    }
    const held = /^Bearer (.+)$/.exec(asked.headers.authorization ?? '')?.[1] ?? '';
    const scopes = Buffer.from(held, 'base64url').toString().split(' ');
    if (held !== '' && (asked.kind === 'ping' || takes(scopes, asked))) return undefined;
    const realm = `http://${realmHost ?? registry.host}/token`;
    return {
      status: 401,
      headers: { 'www-authenticate': challenge(realm, asked) },
      body: { errors: [{ code: 'UNAUTHORIZED' }] },
    };
  };
}

/** An image behind a guard, pulled by tag. */
const guarded =
  (over: Guard): UpstreamShape['play'] =>
  (registry) => {
    registry.image({ tag: 'v1' });
    guard(registry, over);
    return [{ ask: 'pull', reference: 'v1' }];
  };

export const challengeShapes: readonly UpstreamShape[] = [
  { name: 'A challenge names the pull of the repository', clients: all, play: guarded({}) },
  {
    name: 'A challenge names no scope',
    clients: all,
    play: guarded({ challenge: (realm) => `Bearer realm="${realm}",service="shapes"` }),
  },
  {
    name: 'A challenge names an empty scope',
    clients: all,
    play: guarded({ challenge: (realm) => `Bearer realm="${realm}",service="shapes",scope=""` }),
  },
  {
    name: 'A challenge names the scope of everything, as Gitea does',
    clients: all,
    play: guarded({ challenge: (realm) => `Bearer realm="${realm}",service="shapes",scope="*"` }),
  },
  {
    name: 'A challenge is written in lower case',
    clients: all,
    play: guarded({ challenge: (realm) => `bearer realm="${realm}",service="shapes"` }),
  },
  {
    name: 'A token service gives access_token, says no life, and calls it text',
    clients: all,
    play: guarded({
      token: ({ token }) => ({
        headers: { 'content-type': 'text/plain' },
        body: JSON.stringify({ access_token: token }),
      }),
    }),
  },
  {
    name: 'A token service gives a token that was issued long ago',
    clients: all,
    play: guarded({
      token: ({ token }) => ({
        body: { token, expires_in: 60, issued_at: '2020-01-01T00:00:00Z' },
      }),
    }),
  },
  {
    name: 'A realm answers 301 to another host name',
    clients: all,
    play: (registry) => {
      const to = registry.host.replace('127.0.0.1', 'localhost');
      const steps = guarded({
        token: (issued, { path, query }) =>
          path === '/token'
            ? {
                status: 301,
                headers: { location: `http://${to}/token-service?${query.toString()}` },
              }
            : { body: issued },
      })(registry);
      return steps;
    },
  },
  {
    name: 'A host redirects all of its API to a registry with a token service of its own',
    clients: { ...all, skopeo: 'fails' },
    play: (registry) => {
      registry.image({ tag: 'v1' });
      const other = registry.host.replace('127.0.0.1', 'localhost');
      guard(registry, {
        realmHost: other,
        takes: (scopes) => scopes.includes(pullOf('real/team/app')),
      });
      const { answer } = registry;
      registry.answer = (asked, ordinary) => {
        if (asked.headers.host === other) return answer(asked, ordinary);
        const location = `http://${other}${asked.path.replace('/v2/team/', '/v2/real/team/')}`;
        return { status: 307, headers: { location } };
      };
      return [{ ask: 'pull', reference: 'v1' }];
    },
  },
  {
    name: 'A token is refused by 401 before its time',
    clients: all,
    play: (registry) => {
      registry.image({ tag: 'v1' });
      registry.image({ tag: 'v2', salt: '2' });
      let era = 0;
      guard(registry, {
        token: (issued, { query }) => ({
          body: {
            ...issued,
            token: Buffer.from(`${query.getAll('scope').join(' ')} era-${era}`).toString(
              'base64url',
            ),
          },
        }),
        takes: (scopes, { repository }) =>
          scopes.includes(pullOf(repository)) && scopes.includes(`era-${era}`),
      });
      return [
        { ask: 'pull', reference: 'v1' },
        () => void (era += 1),
        { ask: 'pull', reference: 'v2' },
      ];
    },
  },
  {
    name: 'A token is refused by 403 before its time',
    clients: all,
    play: (registry) => {
      registry.image({ tag: 'v1' });
      registry.image({ tag: 'v2', salt: '2' });
      let era = 0;
      guard(registry, {
        token: (issued, { query }) => ({
          body: {
            ...issued,
            token: Buffer.from(`${query.getAll('scope').join(' ')} era-${era}`).toString(
              'base64url',
            ),
          },
        }),
      });
      const { answer } = registry;
      registry.answer = (asked, ordinary) => {
        const held = /^Bearer (.+)$/.exec(asked.headers.authorization ?? '')?.[1];
        const isOld =
          held !== undefined && !Buffer.from(held, 'base64url').toString().endsWith(`era-${era}`);
        return isOld
          ? { status: 403, body: { errors: [{ code: 'DENIED' }] } }
          : answer(asked, ordinary);
      };
      return [
        { ask: 'pull', reference: 'v1' },
        () => void (era += 1),
        { ask: 'pull', reference: 'v2' },
      ];
    },
  },
];
