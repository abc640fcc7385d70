import { dockerHubRegistry } from './builtin-rules.ts';
import { dockerHub, normalizeHost } from '../names/host-name.ts';
import type { UpstreamUrl } from './pull-rule.ts';

const host =
  /^(?:[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?)*|\[[a-f0-9:.]+\])(?::\d{1,5})?$/;

/** What is wrong with an upstream, as the end of a sentence. */
export interface UpstreamUrlProblem {
  readonly problem: string;
}

/** A host (spoken to over https) or an `https://` or `http://` URL of one; Docker Hub's names all lead to its registry. */
export function parseUpstreamUrl(text: string): UpstreamUrl | UpstreamUrlProblem {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== 'https' && scheme !== 'http') {
    return {
      problem: `not a registry; write a host, or https:// or http:// instead of ${scheme}://`,
    };
  }
  let url: URL;
  try {
    url = new URL(scheme === undefined ? `https://${text}` : text);
  } catch {
    return {
      problem: 'not a host or URL; write registry.example.com or https://registry.example.com',
    };
  }
  if (url.username !== '' || url.password !== '') {
    return {
      problem: 'carrying a user or password; put them into secretsFile and name them as credential',
    };
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || /[?#]/.test(text)) {
    return {
      problem: `more than a host; write ${url.host}, and what follows it as upstreamPrefix`,
    };
  }
  if (!host.test(url.host) || /[\s\\]/.test(text)) {
    return { problem: 'not a host; write registry.example.com or registry.example.com:5000' };
  }
  const plain = url.protocol === 'http:';
  const name = !plain && normalizeHost(url.host) === dockerHub ? dockerHubRegistry : url.host;
  return { origin: `${url.protocol}//${name}`, host: name, plain };
}

/** Whether two hosts of `allowHosts` are spelled alike is decided after this: lower case, without https's own port. */
export function parseAllowedHost(text: string): string | undefined {
  const lower = text.toLowerCase().replace(/:443$/, '');
  return lower.length <= 255 && host.test(lower) ? lower : undefined;
}
