/** A lake at dusk as SVG, drawn from nothing: ridges, firs, clouds, and their reflection in moving water. */

type Random = () => number;

/** Numbers 0..1 that are the same at every run (a linear congruential generator). */
export function random(seed = 1): Random {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A jagged line around a height, by midpoint displacement. */
function ridge(next: Random, height: number, roughness: number): number[] {
  let line = [height + next() * 20, height + next() * 20];
  for (let rough = roughness; rough > roughness / 60; rough *= 0.55)
    line = line.flatMap((y, i) =>
      i + 1 < line.length ? [y, (y + line[i + 1]!) / 2 + (next() - 0.5) * rough] : [y],
    );
  return line;
}

function outline(heights: number[], size: number, base: number): string {
  const step = size / (heights.length - 1);
  return `M0 ${base}${heights.map((y, i) => `L${i * step} ${y}`).join('')}L${size} ${base}Z`;
}

function fir(next: Random, x: number, base: number, height: number): string {
  const boughs = Array.from({ length: 9 }, (_, k) => {
    const y = base - height + (height * k) / 9;
    const half = height * (0.05 + 0.022 * k) * (0.8 + next() * 0.4);
    return `M${x - half} ${y + height / 6}L${x} ${y - height / 12}L${x + half} ${y + height / 6}Z`;
  });
  return `<path d="${boughs.join('')}"/>`;
}

const RIDGES = [
  ['#8a6b86', 250],
  ['#75597c', 268],
  ['#5b466c', 290],
  ['#3f3357', 315],
  ['#2a2544', 338],
] as const;
/** Where firs stand in front, and how tall they are. */
const NEAR = [
  [58, 250],
  [112, 170],
  [20, 180],
  [462, 220],
  [500, 150],
] as const;
const SHORE = 362;

/** The picture as SVG, `size` pixels a side. */
export function landscape(size: number): string {
  const next = random(7);
  const hills = RIDGES.map(
    ([colour, height], i) =>
      `<path fill="${colour}" d="${outline(ridge(next, height, 150 - 28 * i), 512, SHORE)}"/>`,
  );
  const woods = Array.from({ length: 40 }, (_, i) =>
    fir(next, i * 12.8 + next() * 14, SHORE, 26 * (0.5 + next())),
  );
  const land = `<rect width="512" height="${SHORE}" fill="url(#sky)"/>
    <rect width="512" height="${SHORE}" filter="url(#clouds)" opacity=".8"/>
    <circle cx="330" cy="236" r="120" fill="url(#glow)"/><circle cx="330" cy="236" r="20" fill="#fff6dc"/>
    ${hills.join('')}<g fill="#1d1c36">${woods.join('')}</g>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 512 512" width="${size}" height="${size}">
  <defs>
    <linearGradient id="sky" x1="0" y1="0" x2="0" y2="1">
      <stop offset="0" stop-color="#23345f"/><stop offset=".45" stop-color="#8d6a86"/>
      <stop offset=".7" stop-color="#e8956a"/><stop offset="1" stop-color="#fbd590"/>
    </linearGradient>
    <linearGradient id="depth" x1="0" y1="0" x2="0" y2="1">
      <stop offset="0" stop-color="#1b2446" stop-opacity=".15"/>
      <stop offset="1" stop-color="#111a35" stop-opacity=".85"/>
    </linearGradient>
    <radialGradient id="glow">
      <stop offset="0" stop-color="#fff6d8"/><stop offset=".35" stop-color="#ffd98a" stop-opacity=".7"/>
      <stop offset="1" stop-color="#ffc070" stop-opacity="0"/>
    </radialGradient>
    <filter id="clouds" x="0" y="0" width="1" height="1">
      <feTurbulence type="fractalNoise" baseFrequency=".006 .022" numOctaves="5" seed="11"/>
      <feColorMatrix values="0 0 0 0 1 0 0 0 0 .78 0 0 0 0 .66 2.6 0 0 0 -1.15"/>
    </filter>
    <filter id="ripple" x="0" y="0" width="1" height="1">
      <feTurbulence type="fractalNoise" baseFrequency=".012 .11" numOctaves="3" seed="3" result="waves"/>
      <feDisplacementMap in="SourceGraphic" in2="waves" scale="22" xChannelSelector="R" yChannelSelector="G"/>
    </filter>
  </defs>
  ${land}
  <g filter="url(#ripple)"><g transform="translate(0 ${2 * SHORE}) scale(1 -1)">${land}</g></g>
  <rect y="${SHORE}" width="512" height="${512 - SHORE}" fill="url(#depth)"/>
  <g fill="#0d0f20">${NEAR.map(([x, height]) => fir(next, x, 520, height)).join('')}</g>
</svg>`;
}
