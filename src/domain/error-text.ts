/**
 * What anything thrown says, never empty. A connection that was tried at several addresses fails with an error without words, which
 * holds one for each of them.
 */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error) || 'an error without words';
  if (error.message !== '') return error.message;
  if (error instanceof AggregateError && error.errors.length > 0)
    return [...new Set(error.errors.slice(0, partsMax).map(errorText))].join('; ');
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}

const partsMax = 4;
