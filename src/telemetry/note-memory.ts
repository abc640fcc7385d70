import type { ServedExchange } from './served-exchange.ts';

type Told = ServedExchange['reply'];

/**
 * What is made of a reply's note, once as long as the note lives where it is told again and again. Of other notes it is made each
 * time: to remember them would cost more.
 */
export function perNote<Made>(make: (note: Told['note']) => Made): (reply: Told) => Made {
  const kept = new WeakMap<Told['note'], Made>();
  return ({ note, repeats }) => {
    if (repeats !== true) return make(note);
    const known = kept.get(note);
    if (known !== undefined) return known;
    const made = make(note);
    kept.set(note, made);
    return made;
  };
}
