/** As clients send it; without the type itself distribution answers 404. */
export const accept: string =
  'application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, */*';
