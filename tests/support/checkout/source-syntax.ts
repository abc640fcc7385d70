import { readFileSync } from 'node:fs';
import { parseSync } from 'oxc-parser';

/** What the tests of the house ask of a file's syntax. */
export interface SourceSyntax {
  /** Every module that it names: imports and re-exports, of values and of types, and the URLs of workers. */
  readonly imports: readonly string[];
  readonly reExports: boolean;
  readonly functions: readonly SourceFunction[];
}

export interface SourceFunction {
  /** Its own, else of what holds it. */
  readonly name: string;
  /** From its signature to its closing brace. */
  readonly lines: number;
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

export function readSyntax(path: string): SourceSyntax {
  const text = readFileSync(path, 'utf8');
  const { program, module, errors } = parseSync(path, text);
  if (errors[0] !== undefined) throw new Error(`${path}: ${errors[0].message}`);
  const { staticImports, staticExports } = module;
  const exported = staticExports.flatMap(({ entries }) =>
    entries.flatMap(({ moduleRequest }) => moduleRequest?.value ?? []),
  );
  const imports = new Set([...staticImports.map((each) => each.moduleRequest.value), ...exported]);
  const functions: SourceFunction[] = [];
  const visit = (node: Node, outer: string): void => {
    const name = nameOf(node) ?? outer;
    if (/^(?:FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type))
      functions.push({ name, lines: text.slice(node.start, node.end).split('\n').length });
    const named = moduleIn(node);
    if (named !== undefined) imports.add(named);
    for (const child of Object.values(node).flat()) if (isNode(child)) visit(child, name);
  };
  visit(program as unknown as Node, '');
  return { imports: [...imports], reExports: exported.length > 0, functions };
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value;
}

/** Of a declaration, a property, a method or an assignment. */
function nameOf(node: Node): string | undefined {
  for (const key of ['id', 'key', 'left'])
    if (isNode(node[key]) && typeof node[key]['name'] === 'string') return node[key]['name'];
  return undefined;
}

/** What `import()`, `typeof import()`, `new URL('./…')`, `require()` and `require.resolve()` name, as far as it is written there. */
function moduleIn(node: Node): string | undefined {
  if (node.type === 'ImportExpression' || node.type === 'TSImportType')
    return textOf(node['source']);
  const calls = isNode(node['callee']) ? node['callee'] : undefined;
  const [first] = (node['arguments'] ?? []) as readonly unknown[];
  if (node.type === 'NewExpression' && calls?.['name'] === 'URL') {
    const text = textOf(first);
    return text?.startsWith('.') === true ? text : undefined;
  }
  const required = isNode(calls?.['object']) ? calls['object']['name'] : calls?.['name'];
  return node.type === 'CallExpression' && required === 'require' ? textOf(first) : undefined;
}

/** Of a template, what stands before its first expression. */
function textOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  if (typeof node['value'] === 'string') return node['value'];
  const [head] = (node['quasis'] ?? []) as readonly {
    readonly value: { readonly cooked: string };
  }[];
  return head?.value.cooked;
}
