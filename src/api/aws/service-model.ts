/** Seconds of the Unix epoch, to the millisecond: how the AWS protocols tell times. */
export type Timestamp = number & { readonly timestamp: unique symbol };

/** Of wall milliseconds; of a time that never came, `undefined`. */
export function timestamp(ms: number): Timestamp;
export function timestamp(ms: number | undefined): Timestamp | undefined;
export function timestamp(ms: number | undefined): Timestamp | undefined {
  return ms === undefined ? undefined : ((Math.floor(ms) / 1000) as Timestamp);
}

/** What is known of one service's operations; generated (scripts/aws-models.ts), and loaded with the first request to the service. */
export interface ServiceModel {
  /** The shapes of each; `output` only where answers are XML. Absent: nothing is taken, or answered. */
  readonly operations: Readonly<
    Record<string, { readonly input?: string; readonly output?: string }>
  >;
  /** Of modelled errors that are not answered by 400. */
  readonly statuses: Readonly<Record<string, number>>;
  /** By name; a name that is none of them is a type that nothing else is known of. */
  readonly shapes: Readonly<Record<string, Shape>>;
}

export interface Shape {
  readonly type: ShapeType;
  /** Characters of a text, bytes of a blob, elements of a list or map, or the least number. */
  readonly min?: number;
  readonly max?: number;
  /** As the service has it, and as it is told. */
  readonly pattern?: string;
  /** How it is matched, where that is not the same text. */
  readonly match?: string;
  readonly enum?: readonly string[];
  /** Its value is told in no error. */
  readonly secret?: boolean;
  readonly flattened?: boolean;
  readonly required?: readonly string[];
  readonly members?: Readonly<Record<string, string>>;
  readonly of?: string;
  readonly key?: string;
  readonly value?: string;
}

export type ShapeType =
  | 'string'
  | 'integer'
  | 'long'
  | 'double'
  | 'boolean'
  | 'timestamp'
  | 'blob'
  | 'list'
  | 'map'
  | 'structure';

const plainTypes: ReadonlySet<string> = new Set<ShapeType>([
  'string',
  'integer',
  'long',
  'double',
  'boolean',
  'timestamp',
  'blob',
]);

/** Throws for a name that the table does not hold: the model is not whole. */
export function shapeNamed(model: ServiceModel, name: string): Shape {
  const shape = Object.hasOwn(model.shapes, name) ? model.shapes[name] : undefined;
  if (shape !== undefined) return shape;
  if (!plainTypes.has(name)) throw new Error(`no shape ${name} in the model`);
  return { type: name as ShapeType };
}
