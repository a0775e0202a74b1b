/** Flags behind a prompt, as Midjourney and scripts take them: `--ar 16:9 --no hands`. */

/** What follows a flag and belongs to it: nothing, one word, or the words up to the next flag. */
const VALUES: Record<string, 'none' | 'one' | 'words'> = {
  ...named(
    'none',
    'tile hd raw fast relax turbo draft video loop uplight upbeta upanime test testp public stealth',
  ),
  ...named('none', 'sameseed explore light'),
  ...named(
    'one',
    'ar aspect v version niji q quality s stylize style chaos c seed stop iw weird w repeat r cref cw',
  ),
  ...named(
    'one',
    'sref sw sv oref ow exp p profile motion creative bs end h height width steps cfg scale sampler n',
  ),
  ...named('words', 'no neg negative negative-prompt negative_prompt'),
};
/** Autocorrection makes dashes of two hyphens. */
const FLAG = /^(?:--|[—–]{1,2})([a-z][a-z_-]*),?$/i;

function named<K extends string>(kind: K, names: string): Record<string, K> {
  return Object.fromEntries(names.split(' ').map((name) => [name, kind]));
}

function kindOf(token: string): 'none' | 'one' | 'words' | undefined {
  const name = FLAG.exec(token)?.[1]?.toLowerCase();
  return name !== undefined && Object.hasOwn(VALUES, name) ? VALUES[name] : undefined;
}

/** Splits flags off. Words behind the value of a flag are part of the prompt again. */
export function withoutFlags(text: string): { text: string; negative: string } {
  if (!/(?:--|[—–])[a-z]/i.test(text)) return { text, negative: '' };
  const kept: string[] = [];
  const negative: string[] = [];
  let taking: 'none' | 'one' | 'words' = 'none';
  for (const token of text.split(/(\s+)/)) {
    const kind = kindOf(token);
    if (kind) taking = kind;
    else if (taking === 'words') negative.push(token);
    else if (taking === 'none' || token.trim() === '') kept.push(token);
    else {
      taking = 'none';
      kept.push(/,$/.exec(token)?.[0] ?? '');
    }
  }
  return { text: kept.join(''), negative: negative.join('').trim() };
}
