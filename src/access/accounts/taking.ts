/** A write that takes something away: where it fails it is not known whether it was committed, and what was remembered may count no more. */
export async function taking<T>(
  { onChange }: { readonly onChange: () => void },
  write: Promise<T>,
): Promise<T> {
  try {
    return await write;
  } catch (error) {
    onChange();
    throw error;
  }
}
