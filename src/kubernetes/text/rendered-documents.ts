/** What helm rendered, document by document; together the text again. A line that begins with --- ends one wherever it stands: text in a block is indented. */
export function renderedDocuments(text: string): readonly string[] {
  return text.split(/^(?=---\s)/m);
}

/** The template that a document was rendered from, as helm says it; `undefined` where it does not. */
export function templateOf(document: string): string | undefined {
  return /^# Source: (.*)$/m.exec(document)?.[1];
}
