// Every cause for which a client gets no image: what is done about it, and how a test brings it about.

/** Servers of the stage: `closed` as it is by default, `open` to imports, `locked` to whoever does not log in, `tls` with a certificate of a CA that clients don't know, and `nothing`, where none listens. */
export type ServerName = 'closed' | 'open' | 'locked' | 'tls' | 'nothing';

export interface Cause {
  readonly id: string;
  readonly title: string;
  /** The first line under it. */
  readonly todo: string;
  /** `mirror`: the image is pulled by its own name, and the server is a mirror of its registry. */
  readonly does: 'pull' | 'push' | 'login' | 'mirror';
  readonly server: ServerName;
  /** Below the server's address. */
  readonly image: string;
  /** Clients that are told to: speak plain HTTP, trust the CA. Absent: plain HTTP where the server does. */
  readonly speaks?: 'http' | 'https' | 'trusted';
  /** By the server's other address, which its certificate does not name. */
  readonly otherAddress?: true;
  /** A user who may do nothing; absent: nobody. */
  readonly as?: 'user';
}

export const causes: readonly Cause[] = [
  {
    id: 'not-listening',
    title: 'Nothing listens there',
    todo: 'Set `listen: 0.0.0.0:5000` (`127.0.0.1:5000`, the default, is for this machine alone), and look for a firewall between.',
    does: 'pull',
    server: 'nothing',
    image: 'docker.io/library/busybox:1.36',
  },
  {
    id: 'https-to-http',
    title: 'The client speaks TLS, Breakwater plain HTTP',
    todo: 'Give Breakwater a certificate (`breakwater tls init --host CACHE`), or tell the client that this registry is plain: `insecure-registries`, `--plain-http`, `--tls-verify=false`.',
    does: 'pull',
    server: 'open',
    image: 'docker.io/library/busybox:1.36',
    speaks: 'https',
    otherAddress: true,
  },
  {
    id: 'http-to-https',
    title: 'The client speaks plain HTTP, Breakwater TLS',
    todo: 'Write `https://CACHE:5000` where the client has `http://`, or take `--plain-http` away, and give it the CA.',
    does: 'pull',
    server: 'tls',
    image: 'docker.io/library/busybox:1.36',
    speaks: 'http',
  },
  {
    id: 'unknown-authority',
    title: 'The client does not trust the certificate',
    todo: 'Give the client the CA, `tls/ca.crt` of `breakwater tls init`; where each looks for it, the command says.',
    does: 'pull',
    server: 'tls',
    image: 'docker.io/library/busybox:1.36',
    speaks: 'https',
  },
  {
    id: 'wrong-name',
    title: 'The certificate is for another name',
    todo: 'Make it for the name that clients use: `breakwater tls init --host CACHE --force`; a running server takes it up by itself.',
    does: 'pull',
    server: 'tls',
    image: 'docker.io/library/busybox:1.36',
    speaks: 'trusted',
    otherAddress: true,
  },
  {
    id: 'login-to-fetch',
    title: 'Nobody else may fetch what is new',
    todo: 'Set `anonymousImport: true` where every machine that reaches this address may fetch; or give the client a key or token.',
    does: 'pull',
    server: 'closed',
    image: 'docker.io/library/busybox:1.36',
  },
  {
    id: 'mirror-passed-over',
    title: 'It goes past Breakwater, to the public registry itself',
    todo: 'Read in the log of containerd or Docker (`journalctl -u containerd`, `-u docker`) what Breakwater answered before it went on; that cause is on this page. Where the log has no such line, it does not know of the mirror: `config_path` must be one path, and `registry-mirrors` is for Docker Hub alone.',
    does: 'mirror',
    server: 'closed',
    image: 'docker.io/library/busybox:1.36',
  },
  {
    id: 'anonymous-off',
    title: 'Nobody pulls without a login here',
    todo: 'Log in, `docker login CACHE:5000`, or set `anonymousPull: true`.',
    does: 'pull',
    server: 'locked',
    image: 'docker.io/library/busybox:1.36',
  },
  {
    id: 'private',
    title: 'The repository is not for everyone',
    todo: 'Log in, `docker login CACHE:5000`; what was pushed, or fetched with a credential, is for whom a policy lets in.',
    does: 'pull',
    server: 'open',
    image: 'team/app:1',
  },
  {
    id: 'no-right',
    title: 'Logged in, but without the right',
    todo: 'Ask who may: `breakwater access can USER pull REPOSITORY`, and give the right with `breakwater policy set`.',
    does: 'pull',
    server: 'open',
    image: 'team/app:1',
    as: 'user',
  },
  {
    id: 'wrong-password',
    title: 'Wrong user name or password',
    todo: 'The user name is an access key’s id and the password its secret, or any user name with a token: `breakwater user keys create`, `breakwater token create`.',
    does: 'login',
    server: 'open',
    image: 'team/app:1',
  },
  {
    id: 'no-rule',
    title: 'No rule leads to that registry',
    todo: 'See `breakwater rules ls`, and add a rule with the registry’s host as its `prefix`.',
    does: 'pull',
    server: 'open',
    image: 'lscr.io/linuxserver/nginx:1',
  },
  {
    id: 'pattern',
    title: 'The rule’s patterns refuse it',
    todo: 'Change `allow` or `deny` of the rule that the message names.',
    does: 'pull',
    server: 'open',
    image: 'denied.example/team/app:1',
  },
  {
    id: 'missing',
    title: 'The upstream has no such image',
    todo: 'Check the name and the tag: `breakwater explain IMAGE --probe` asks upstream now.',
    does: 'pull',
    server: 'open',
    image: 'upstream.example/team/missing:1',
  },
  {
    id: 'upstream-denied',
    title: 'The upstream denies it to Breakwater',
    todo: 'Give the rule a `credential` that may read it, or renew the one it has: `breakwater rules verify`.',
    does: 'pull',
    server: 'open',
    image: 'upstream.example/team/denied:1',
  },
  {
    id: 'rate-limited',
    title: 'The upstream’s limit is used up',
    todo: 'Wait as long as `breakwater explain IMAGE` says, and give the rule a `credential`, whose limit is higher.',
    does: 'pull',
    server: 'open',
    image: 'limited.example/limited/app:1',
  },
  {
    id: 'upstream-down',
    title: 'The upstream cannot be reached',
    todo: 'Ask with `breakwater doctor` and `breakwater explain IMAGE --probe` what is in the way: DNS, a proxy, a firewall, or the upstream itself.',
    does: 'pull',
    server: 'open',
    image: 'down.example/team/app:1',
  },
  {
    id: 'upstream-broken',
    title: 'The upstream’s answer cannot be used',
    todo: 'Look whether a proxy or a login page answers in its place: `breakwater explain IMAGE --probe`.',
    does: 'pull',
    server: 'open',
    image: 'upstream.example/team/broken:1',
  },
  {
    id: 'push-login',
    title: 'A push without a login',
    todo: 'Log in, `docker login CACHE:5000`: nobody pushes anonymously.',
    does: 'push',
    server: 'open',
    image: 'team/new:1',
  },
  {
    id: 'push-under-rule',
    title: 'A push under the prefix of a rule',
    todo: 'Push under another name, or say `push: true` on that rule.',
    does: 'push',
    server: 'open',
    image: 'docker.io/library/new:1',
    as: 'user',
  },
];
