import type { Credential, PullRule } from '../domain/rules/pull-rule.ts';

/** The secrets of one credential, and the tokens that were got with it: what no text of an upstream may repeat. */
export interface Secrets {
  /** A token that was issued or sent. */
  add(secret: string): void;
  /** The text without any of them, in whatever spelling; without a secret the very same text. */
  redact(text: string): string;
}

/** Of one credential; the oldest are forgotten first. Tokens over 64 characters are cut out of texts anyway. */
const tokensMax = 500;
/** A shorter secret would be told by the gaps that it leaves. */
const cutOutFrom = 4;
const mark = '…';

/** By credential; by rule where there is none. They end with it, so that a reload with another credential begins anew. */
const known = new WeakMap<Credential | PullRule, Secrets>();

export function secretsOf(rule: PullRule): Secrets {
  const owner = rule.credential ?? rule;
  let secrets = known.get(owner);
  if (secrets === undefined) known.set(owner, (secrets = createSecrets(rule.credential)));
  return secrets;
}

export function createSecrets(
  credential: Pick<Credential, 'username' | 'accessToken'> | undefined,
): Secrets {
  const own = credential === undefined ? [] : spellingsOf(credential);
  const tokens = new Set<string>();
  const redact = (text: string): string => {
    const without = cutOut(cutOut(text, own), tokens);
    // A spelling that is not among those above, as one with every character escaped.
    const decoded = decodePercent(without);
    const hidden = decoded !== without && cutOut(cutOut(decoded, own), tokens) !== decoded;
    return hidden ? mark : without;
  };
  return {
    redact,
    add(secret) {
      for (const spelling of escapedSpellings(secret)) {
        tokens.delete(spelling);
        tokens.add(spelling);
      }
      for (const oldest of tokens) {
        if (tokens.size <= tokensMax) break;
        tokens.delete(oldest);
      }
    },
  };
}

/** Longest first, so that a password is not cut out of the pair that holds it. */
function spellingsOf({
  username,
  accessToken,
}: Pick<Credential, 'username' | 'accessToken'>): readonly string[] {
  if (accessToken === '') return [];
  const pair = `${username}:${accessToken}`;
  const encoded = [pair, accessToken].flatMap((text) => {
    const bytes = Buffer.from(text, 'utf8');
    return [bytes.toString('base64').replace(/=+$/, ''), bytes.toString('base64url')];
  });
  const all = new Set([...escapedSpellings(accessToken), ...encoded.flatMap(escapedSpellings)]);
  return [...all].toSorted((one, other) => other.length - one.length);
}

/** As it is, and as JSON, URLs, forms and HTML write it; in lower case, as texts are compared. */
function escapedSpellings(secret: string): readonly string[] {
  if (secret === '') return [];
  const quoted = JSON.stringify(secret).slice(1, -1);
  const inUrl = encodeURIComponent(secret.toWellFormed());
  const inForm = new URLSearchParams([['', secret]]).toString().slice(1);
  const inHtml = secret
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
  return [
    ...new Set([secret, quoted, inUrl, inUrl.replaceAll('%20', '+'), inForm, inHtml].map(lower)),
  ];
}

function cutOut(text: string, secrets: Iterable<string>): string {
  let left = text;
  let compared = lower(left);
  for (const secret of secrets) {
    if (!compared.includes(secret)) continue;
    if (secret.length < cutOutFrom) return mark;
    left = replaceAll(left, compared, secret);
    compared = lower(left);
  }
  return left;
}

function replaceAll(text: string, compared: string, secret: string): string {
  const pieces: string[] = [];
  let from = 0;
  for (let at = compared.indexOf(secret); at >= 0; at = compared.indexOf(secret, from)) {
    pieces.push(text.slice(from, at));
    from = at + secret.length;
  }
  return [...pieces, text.slice(from)].join(mark);
}

/** ASCII alone, so that every character keeps its place. Hosts and percent-escapes change their case on the way. */
function lower(text: string): string {
  return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

function decodePercent(text: string): string {
  if (!text.includes('%')) return text;
  return text.replaceAll(/(?:%[\da-f]{2})+/gi, (escaped) =>
    Buffer.from(escaped.replaceAll('%', ''), 'hex').toString('utf8'),
  );
}
