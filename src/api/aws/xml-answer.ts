import { shapeNamed } from './service-model.ts';
import type { ServiceModel } from './service-model.ts';

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '\r': '&#xD;',
  '\n': '&#xA;',
  '\t': '&#x9;',
};

/** What XML 1.0 has no way to write. */
// oxlint-disable-next-line no-control-regex -- these very characters
const unwritable = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g;

export function xmlText(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(unwritable, '\ufffd')
    .replaceAll(/[&<>"'\r\n\t]/g, (character) => escapes[character] ?? character);
}

/** The answer of an operation in the query protocol. */
export function xmlAnswer(
  { model, xmlNamespace }: { readonly model: ServiceModel; readonly xmlNamespace: string },
  operation: string,
  value: unknown,
  requestId: string,
): string {
  const output = model.operations[operation]?.output;
  const inner =
    output === undefined
      ? ''
      : `<${operation}Result>${members(model, output, value)}</${operation}Result>`;
  return `<${operation}Response xmlns="${xmlNamespace}">${inner}<ResponseMetadata><RequestId>${xmlText(requestId)}</RequestId></ResponseMetadata></${operation}Response>`;
}

/** What is between the tags of a value. */
function members(model: ServiceModel, name: string, value: unknown): string {
  const shape = shapeNamed(model, name);
  switch (shape.type) {
    case 'structure':
      return Object.entries(shape.members ?? {})
        .map(([member, of]) => element(model, member, of, ownValue(value, member)))
        .join('');
    case 'list':
      return (value as readonly unknown[])
        .map((each) => element(model, 'member', shape.of ?? 'string', each))
        .join('');
    case 'map':
      return Object.entries(value as Readonly<Record<string, unknown>>)
        .map(([key, each]) => {
          const inner = element(model, 'key', shape.key ?? 'string', key);
          return `<entry>${inner}${element(model, 'value', shape.value ?? 'string', each)}</entry>`;
        })
        .join('');
    case 'timestamp':
      return new Date((value as number) * 1000).toISOString().replace('.000Z', 'Z');
    case 'string':
    case 'blob':
    case 'boolean':
    case 'integer':
    case 'long':
    case 'double':
      return xmlText(String(value));
  }
}

function element(model: ServiceModel, tag: string, of: string, value: unknown): string {
  return value === undefined ? '' : `<${tag}>${members(model, of, value)}</${tag}>`;
}

function ownValue(value: unknown, member: string): unknown {
  return (value as Readonly<Record<string, unknown>> | undefined)?.[member];
}
