/** Draws the report's plots as SVG. The only file that loads Plot and a DOM for it. */
import type { PlotOptions } from '@observablehq/plot';
import { html, Markup } from './html.ts';

/** The plotting library, as the drawings get it handed. */
export type Library = typeof import('@observablehq/plot');

/** What to draw, made once the library is there. */
export type Drawing = (Plot: Library) => PlotOptions;

/** Makes a drawing; the label describes it to those who cannot see it. */
export type Draw = (drawing: Drawing, label: string) => Markup;

/** Width of a figure in pixels; the page scales it down where there is less room. */
const WIDTH = 480;
const STYLE = { fontSize: '13px', fontFamily: 'inherit', background: 'none', overflow: 'visible' };

/** Loads the libraries, about 0.3 s. */
export async function loadPlots(): Promise<Draw> {
  const [Plot, { parseHTML }] = await Promise.all([import('@observablehq/plot'), import('linkedom')]);
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  return (drawing, label) => {
    const svg = Plot.plot({ document, width: WIDTH, style: STYLE, ...drawing(Plot) });
    const text = shorten(svg.outerHTML).slice('<svg'.length);
    return html`<svg role="img" aria-label="${label}"${new Markup(text)}`;
  };
}

/** Positions to a hundredth of a pixel: a third of the bytes. */
const shorten = (svg: string): string => svg.replace(/ (c[xy])="(-?\d+\.\d\d)\d+"/g, ' $1="$2"');
