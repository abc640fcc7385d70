import type { TomlLine, TomlOutline } from './toml-lines.ts';
import { readTomlOutline } from './toml-lines.ts';

/** What makes a node pull past its mirrors without a word, or not at all. */
export interface Finding {
  /** A path on the node. */
  readonly file: string;
  /** From 1; `undefined` where it is the file or folder as a whole. */
  readonly line: number | undefined;
  readonly level: 'error' | 'warning';
  readonly problem: string;
  readonly hint: string;
}

/** The folder of a node, read. Paths are those on the node. */
export interface NodeFolder {
  /** `undefined` where it is not there. */
  readonly read: (path: string) => Promise<string | undefined>;
  /** The names of folders in it; `undefined` where it is none. */
  readonly folders: (path: string) => Promise<readonly string[] | undefined>;
  /** The names of files in it; none where it is no folder. */
  readonly files: (path: string) => Promise<readonly string[]>;
}

type Told = Omit<Finding, 'file'>;

const capabilities = ['pull', 'resolve', 'push'];
const pluginOf2 = 'io.containerd.cri.v1.images';
const pluginOf1 = 'io.containerd.grpc.v1.cri';

/** Looks at containerd's configuration and at the folder of hosts that it names, and at Docker's `daemon.json`. */
export async function findSilentFailures(folder: NodeFolder): Promise<readonly Finding[]> {
  return [...(await containerdFindings(folder)), ...(await dockerFindings(folder))];
}

async function containerdFindings(folder: NodeFolder): Promise<readonly Finding[]> {
  const file = '/etc/containerd/config.toml';
  const text = await folder.read(file);
  if (text === undefined) return [];
  const outline = readTomlOutline(text);
  const imported = await importedOutlines(outline, folder);
  const all = [{ file, outline }, ...imported];
  const paths = all.flatMap((each) => configPaths(each.outline).map((line) => ({ ...each, line })));
  const findings = all.flatMap((each) =>
    configFindings(each.outline, paths.length > 0).map((told) => ({ file: each.file, ...told })),
  );
  // Where mirrors stand in the configuration itself that is what is to be changed.
  if (paths.length === 0 && findings.length > 0) return findings;
  if (paths.length === 0)
    return [
      ...findings,
      {
        file,
        line: undefined,
        level: 'warning',
        problem:
          'no config_path: containerd looks for no hosts.toml, or into its default of two folders',
        hint: 'name one folder: config_path = "/etc/containerd/certs.d"',
      },
    ];
  const hostsDirs = new Set(paths.flatMap(({ line }) => line.texts.flatMap((at) => at.split(':'))));
  const hosts = await Promise.all([...hostsDirs].map((dir) => hostsDirFindings(dir, folder)));
  return [...findings, ...hosts.flat()];
}

/** Files that `imports` names, by themselves or as all of a folder (`conf.d/*.toml`), in containerd's order. */
async function importedOutlines(
  { lines }: TomlOutline,
  folder: NodeFolder,
): Promise<readonly { readonly file: string; readonly outline: TomlOutline }[]> {
  const named = lines
    .filter(({ table, key }) => table.length === 0 && key === 'imports')
    .flatMap(({ texts }) => texts)
    .map((path) => (path.startsWith('/') ? path : `/etc/containerd/${path}`));
  const files = await Promise.all(
    named.map(async (path) => {
      const [, dir, ending = ''] = /^(.*)\/\*([^/*]*)$/.exec(path) ?? [];
      if (dir === undefined) return [path];
      const names = await folder.files(dir);
      return names.filter((name) => name.endsWith(ending)).map((name) => `${dir}/${name}`);
    }),
  );
  const read = await Promise.all(
    files.flat().map(async (file) => ({ file, text: await folder.read(file) })),
  );
  return read.flatMap(({ file, text }) =>
    text === undefined ? [] : [{ file, outline: readTomlOutline(text) }],
  );
}

function configPaths({ lines }: TomlOutline): readonly TomlLine[] {
  return lines.filter(
    ({ table, key, texts }) =>
      key === 'config_path' && table.at(-1) === 'registry' && texts.some((text) => text !== ''),
  );
}

function configFindings(outline: TomlOutline, hasPath: boolean): readonly Told[] {
  const told: Told[] = [];
  for (const { line, texts } of configPaths(outline))
    if (texts.some((text) => text.includes(':')))
      told.push({
        line,
        level: 'error',
        problem: 'config_path names several folders: containerd 2 looks into none of them',
        hint: 'name one: config_path = "/etc/containerd/certs.d"',
      });
  const inline = outline.tables.find(
    ({ path }) => path.includes('registry') && path.includes('mirrors'),
  );
  if (inline !== undefined)
    told.push({
      line: inline.line,
      level: hasPath ? 'error' : 'warning',
      problem: hasPath
        ? 'registry.mirrors beside config_path: containerd refuses the configuration of its CRI'
        : 'registry.mirrors is deprecated, and beside the default config_path of containerd 2.2 its CRI does not start',
      hint: 'write hosts.toml files in its place: breakwater nodes generate containerd',
    });
  const version = outline.lines.find(({ table, key }) => table.length === 0 && key === 'version');
  const old = outline.tables.find(
    ({ path }) => path.includes(pluginOf1) && path.at(-1) === 'registry',
  );
  const isNew = outline.tables.some(({ path }) => path.includes(pluginOf2));
  if (version !== undefined && old !== undefined && isNew)
    told.push({
      line: old.line,
      level: 'error',
      problem: `the registry stands under ${pluginOf1}, beside a configuration of containerd 2 under ${pluginOf2}`,
      hint: `put it under [plugins."${pluginOf2}".registry]`,
    });
  return told;
}

async function hostsDirFindings(dir: string, folder: NodeFolder): Promise<readonly Finding[]> {
  const names = await folder.folders(dir);
  if (names === undefined)
    return [
      {
        file: dir,
        line: undefined,
        level: 'error',
        problem: 'config_path names it, and it is not there: every pull goes to the upstream',
        hint: 'breakwater nodes generate containerd makes it',
      },
    ];
  const all = await Promise.all(
    names.map(async (name): Promise<readonly Finding[]> => {
      const file = `${dir}/${name}/hosts.toml`;
      const text = await folder.read(file);
      if (text !== undefined)
        return (await hostsFindings(text, `${dir}/${name}`, folder)).map((told) => ({
          file,
          ...told,
        }));
      const shadows = names.includes('_default');
      return [
        {
          file: `${dir}/${name}`,
          line: undefined,
          level: shadows ? 'error' : 'warning',
          problem: shadows
            ? 'a folder without a hosts.toml hides _default: its host is asked itself'
            : 'a folder without a hosts.toml: its host is asked itself',
          hint: 'remove the folder, or write its hosts.toml',
        },
      ];
    }),
  );
  return all.flat();
}

async function hostsFindings(
  text: string,
  own: string,
  folder: NodeFolder,
): Promise<readonly Told[]> {
  const { tables, lines } = readTomlOutline(text);
  const told: Told[] = [];
  for (const { path, line } of tables) {
    const [first, url] = path;
    if (first === 'host' && path.length === 2 && url !== undefined)
      told.push(...urlFindings(url, line, lines));
  }
  for (const each of lines) {
    if (each.key === 'server') told.push(...schemeFindings(each.texts[0] ?? '', each.line));
    if (each.key === 'capabilities') told.push(...capabilityFindings(each));
    if (each.key === 'ca')
      for (const path of each.texts) {
        const at = path.startsWith('/') ? path : `${own}/${path}`;
        if ((await folder.read(at)) === undefined)
          told.push({
            line: each.line,
            level: 'error',
            problem: `the CA ${at} is not there: the mirror is passed over`,
            hint: 'put it there, or breakwater nodes generate containerd --ca FILE',
          });
      }
  }
  return told;
}

function urlFindings(url: string, line: number, lines: readonly TomlLine[]): readonly Told[] {
  const path = URL.parse(url)?.pathname.replace(/\/$/, '') ?? '';
  const overrides = lines.some(({ table, key }) => key === 'override_path' && table.includes(url));
  const twice = /^\/v2\/./.test(path) && !overrides;
  return [
    ...schemeFindings(url, line),
    ...(twice
      ? [
          {
            line,
            level: 'error',
            problem: `without override_path containerd asks ${path}/v2/…`,
            hint: 'add override_path = true',
          } as const,
        ]
      : []),
  ];
}

function schemeFindings(url: string, line: number): readonly Told[] {
  return /^https?:\/\//.test(url)
    ? []
    : [
        {
          line,
          level: 'warning',
          problem: `${url} has no scheme: containerd takes https`,
          hint: `write https://${url}, or http:// for plain HTTP`,
        },
      ];
}

function capabilityFindings({ texts, line }: TomlLine): readonly Told[] {
  const unknown = texts.filter((each) => !capabilities.includes(each));
  if (unknown.length > 0)
    return [
      {
        line,
        level: 'error',
        problem: `no capability: ${unknown.join(', ')}; containerd leaves the whole file out, and asks the upstream`,
        hint: 'capabilities = ["pull", "resolve"]',
      },
    ];
  if (!texts.includes('resolve') || !texts.includes('pull'))
    return [
      {
        line,
        level: 'warning',
        problem: texts.includes('pull')
          ? 'without resolve the mirror is passed over for tags'
          : 'without pull the mirror is asked for no content',
        hint: 'capabilities = ["pull", "resolve"]',
      },
    ];
  return [];
}

async function dockerFindings(folder: NodeFolder): Promise<readonly Finding[]> {
  const file = '/etc/docker/daemon.json';
  const text = await folder.read(file);
  if (text === undefined) return [];
  const finding = (problem: string, hint: string): Finding => ({
    file,
    line: undefined,
    level: 'error',
    problem,
    hint,
  });
  let mirrors: unknown;
  try {
    mirrors = (JSON.parse(text) as Record<string, unknown> | null)?.['registry-mirrors'];
  } catch {
    return [finding('it is no JSON: Docker does not start', 'mend it, or make it anew')];
  }
  return (Array.isArray(mirrors) ? mirrors : []).flatMap((mirror) => {
    const url = URL.parse(String(mirror));
    if (url !== null && /^https?:$/.test(url.protocol) && url.pathname === '/') return [];
    return [
      finding(
        `registry-mirrors: Docker takes a scheme, a host and a port, and no path: ${String(mirror)}`,
        'name the hubMirrorListen of the server: http://registry.example.com:5002',
      ),
    ];
  });
}
